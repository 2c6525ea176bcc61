// SPDX-License-Identifier: Apache-2.0

// A Pion peer that speaks the JSON lines of `linnet peer`: offers or answers, echoes what it hears on
// data channels, and sends every RTP packet that arrives on a track back on its own track of that
// kind, so that the other end can look at its own picture. For tests.
//
//	--offer | --answer   who begins
//	--media              tracks for sound and picture
//	--data               a channel "chat" (with --offer)
//	--rsa                an RSA certificate
//	--ice-server URL,USER,PASSWORD
//	--policy relay       nothing but relays
//	--tcp                passive TCP candidates, and no others
//
// Lines beyond those of `linnet peer`: {"cmd":"pli"} asks for a key frame; {"cmd":"tracks"} is answered
// by {"tracks":{kind:{…}}}; {"cmd":"quiet"} ends the echo on data channels.
package main

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v3"
)

type line map[string]interface{}

// What came on a track.
type figures struct {
	Codec     string `json:"codec"`
	Packets   int    `json:"packets"`
	Missing   int    `json:"missing"`   // sequence numbers passed over, less those that came late
	KeyFrames int    `json:"keyFrames"` // VP8 only
	Plis      int    `json:"plis"`      // asked for by the other end
	last      uint16
	ssrc      webrtc.SSRC
}

type peer struct {
	pc       *webrtc.PeerConnection
	lock     sync.Mutex
	channels map[string]*webrtc.DataChannel
	tracks   map[string]*figures
	echo     map[string]*webrtc.TrackLocalStaticRTP
	sums     map[string]*sum
	quiet    bool
}

// Bulk, as docs/peer.md has it.
type sum struct {
	bytes, left, messages int
	digest                [32]byte
}

func (s *sum) add(message []byte) {
	hash := sha256.New()
	hash.Write(s.digest[:])
	hash.Write(message)
	hash.Sum(s.digest[:0])
	s.messages++
	s.left -= len(message)
}

func (s *sum) tell(label, what string) {
	write(line{"channel": label, what: s.bytes, "messages": s.messages, "sha256": hex.EncodeToString(s.digest[:])})
}

func sendBulk(channel *webrtc.DataChannel, bytes, size int) {
	total := &sum{bytes: bytes, left: bytes}
	for total.left > 0 {
		for channel.BufferedAmount() > 1<<20 {
			time.Sleep(time.Millisecond)
		}
		if total.left < size {
			size = total.left
		}
		message := make([]byte, size+8)
		for i := range message {
			message[i] = byte(31*i + total.messages)
		}
		binary.BigEndian.PutUint64(message, uint64(total.messages))
		message = message[:size]
		check(channel.Send(message))
		total.add(message)
	}
	total.tell(channel.Label(), "sent")
}

// Whether the message was to be summed up.
func (p *peer) summed(label string, message []byte) bool {
	p.lock.Lock()
	defer p.lock.Unlock()
	total := p.sums[label]
	if total == nil {
		return false
	}
	total.add(message)
	if total.left <= 0 {
		delete(p.sums, label)
		total.tell(label, "received")
	}
	return true
}

var out sync.Mutex

func write(value interface{}) {
	text, _ := json.Marshal(value)
	out.Lock()
	fmt.Println(string(text))
	out.Unlock()
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "pion:", err)
		os.Exit(1)
	}
}

func warn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "pion:", err)
	}
}

func (p *peer) use(channel *webrtc.DataChannel) {
	label := channel.Label()
	p.lock.Lock()
	p.channels[label] = channel
	p.lock.Unlock()
	channel.OnOpen(func() {
		write(line{"channel": label, "state": "open", "ordered": channel.Ordered(), "protocol": channel.Protocol(),
			"maxRetransmits": channel.MaxRetransmits(), "maxPacketLifeTime": channel.MaxPacketLifeTime()})
	})
	channel.OnClose(func() { write(line{"channel": label, "state": "closed"}) })
	channel.OnMessage(func(message webrtc.DataChannelMessage) {
		p.lock.Lock()
		quiet := p.quiet
		p.lock.Unlock()
		switch {
		case p.summed(label, message.Data):
		case quiet && message.IsString:
			write(line{"channel": label, "data": string(message.Data)})
		case quiet:
			write(line{"channel": label, "data64": base64.StdEncoding.EncodeToString(message.Data)})
		case message.IsString:
			warn(channel.SendText(string(message.Data)))
		default:
			warn(channel.Send(message.Data))
		}
	})
}

// A VP8 payload that begins a key frame: its first partition starts here and the frame's first bit is 0.
func keyFrame(payload []byte) bool {
	if len(payload) < 4 || payload[0]&0x17 != 0x10 {
		return false
	}
	at := 1
	if payload[0]&0x80 != 0 {
		flags := payload[1]
		at++
		if flags&0x80 != 0 {
			if payload[at]&0x80 != 0 {
				at++
			}
			at++
		}
		if flags&0x40 != 0 {
			at++
		}
		if flags&0x30 != 0 {
			at++
		}
	}
	return at < len(payload) && payload[at]&1 == 0
}

func (p *peer) onTrack(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	kind := track.Kind().String()
	f := &figures{Codec: track.Codec().MimeType, ssrc: track.SSRC()}
	p.lock.Lock()
	p.tracks[kind] = f
	echo := p.echo[kind]
	p.lock.Unlock()
	for {
		packet, _, err := track.ReadRTP()
		if err != nil {
			return
		}
		p.lock.Lock()
		step := int16(packet.SequenceNumber - f.last)
		if f.Packets > 0 && step > 0 {
			f.Missing += int(step) - 1
		} else if f.Packets > 0 {
			f.Missing--
		}
		if f.Packets == 0 || step > 0 {
			f.last = packet.SequenceNumber
		}
		f.Packets++
		if f.Codec == webrtc.MimeTypeVP8 && keyFrame(packet.Payload) {
			f.KeyFrames++
		}
		p.lock.Unlock()
		if echo != nil {
			packet.Extension, packet.Extensions = false, nil
			warn(echo.WriteRTP(packet))
		}
	}
}

// Asks the other end for a key frame of its picture.
func (p *peer) askKeyFrame() {
	p.lock.Lock()
	f := p.tracks["video"]
	p.lock.Unlock()
	if f != nil {
		warn(p.pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(f.ssrc)}}))
	}
}

// What the other end asks of the picture that goes back to it, its source has to hear.
func (p *peer) listen(sender *webrtc.RTPSender) {
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, packet := range packets {
			if _, is := packet.(*rtcp.PictureLossIndication); is {
				p.lock.Lock()
				if f := p.tracks["video"]; f != nil {
					f.Plis++
				}
				p.lock.Unlock()
				p.askKeyFrame()
			}
		}
	}
}

func (p *peer) addTracks() {
	for kind, mime := range map[string]string{"audio": webrtc.MimeTypeOpus, "video": webrtc.MimeTypeVP8} {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind, "pion")
		check(err)
		p.echo[kind] = track
		sender, err := p.pc.AddTrack(track)
		check(err)
		go p.listen(sender)
	}
}

func (p *peer) offer(restart bool) {
	description, err := p.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	check(err)
	check(p.pc.SetLocalDescription(description))
	write(line{"type": "offer", "sdp": description.SDP})
}

type message struct {
	Type, SDP, Cmd string
	Candidate      *string
	SDPMid         *string `json:"sdpMid"`
	Channel, State string
	Data, Data64   *string
	Ordered        *bool
	MaxRetransmits *uint16
	MaxPacketLife  *uint16 `json:"maxPacketLifeTime"`
	Protocol       *string
	Negotiated     *bool
	ID             *uint16
	Bulk, Size     int
	Sum            int
}

func (p *peer) onChannelLine(m *message) {
	p.lock.Lock()
	channel := p.channels[m.Channel]
	p.lock.Unlock()
	switch {
	case m.State == "open":
		channel, err := p.pc.CreateDataChannel(m.Channel, &webrtc.DataChannelInit{Ordered: m.Ordered, Protocol: m.Protocol,
			MaxRetransmits: m.MaxRetransmits, MaxPacketLifeTime: m.MaxPacketLife, Negotiated: m.Negotiated, ID: m.ID})
		check(err)
		p.use(channel)
	case m.State == "closed":
		warn(channel.Close())
	case m.Bulk > 0:
		go sendBulk(channel, m.Bulk, m.Size)
	case m.Sum > 0:
		p.lock.Lock()
		p.sums[m.Channel] = &sum{bytes: m.Sum, left: m.Sum}
		p.lock.Unlock()
		write(line{"channel": m.Channel, "summing": m.Sum})
	case m.Data != nil:
		warn(channel.SendText(*m.Data))
	case m.Data64 != nil:
		bytes, err := base64.StdEncoding.DecodeString(*m.Data64)
		check(err)
		warn(channel.Send(bytes))
	}
}

func (p *peer) onCommand(command string) {
	switch command {
	case "offer":
		p.offer(false)
	case "restart":
		p.offer(true)
	case "pli":
		p.askKeyFrame()
	case "tracks":
		p.lock.Lock()
		write(line{"tracks": p.tracks})
		p.lock.Unlock()
	case "quiet":
		p.lock.Lock()
		p.quiet = true
		p.lock.Unlock()
	}
}

func (p *peer) onLine(m *message) {
	switch {
	case m.Cmd != "":
		p.onCommand(m.Cmd)
	case m.Type != "":
		check(p.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.NewSDPType(m.Type), SDP: m.SDP}))
		if m.Type == "offer" {
			description, err := p.pc.CreateAnswer(nil)
			check(err)
			check(p.pc.SetLocalDescription(description))
			write(line{"type": "answer", "sdp": description.SDP})
		}
	case m.Candidate != nil && *m.Candidate != "":
		warn(p.pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: *m.Candidate, SDPMid: m.SDPMid}))
	case m.Channel != "":
		p.onChannelLine(m)
	}
}

// Pion has passive TCP candidates only, all on one port.
func overTCP(configuration webrtc.Configuration) (*webrtc.PeerConnection, error) {
	listener, err := net.Listen("tcp4", ":0")
	check(err)
	settings := webrtc.SettingEngine{}
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	settings.SetICETCPMux(webrtc.NewICETCPMux(nil, listener, 64))
	media := &webrtc.MediaEngine{}
	check(media.RegisterDefaultCodecs())
	interceptors := &interceptor.Registry{}
	check(webrtc.RegisterDefaultInterceptors(media, interceptors))
	return webrtc.NewAPI(webrtc.WithMediaEngine(media), webrtc.WithInterceptorRegistry(interceptors),
		webrtc.WithSettingEngine(settings)).NewPeerConnection(configuration)
}

func main() {
	options := map[string]bool{}
	configuration := webrtc.Configuration{}
	for i := 1; i < len(os.Args); i++ {
		options[os.Args[i]] = true
		switch os.Args[i] {
		case "--ice-server":
			i++
			parts := strings.SplitN(os.Args[i], ",", 3)
			configuration.ICEServers = append(configuration.ICEServers,
				webrtc.ICEServer{URLs: parts[:1], Username: parts[1], Credential: parts[2]})
		case "--policy":
			i++
			configuration.ICETransportPolicy = webrtc.NewICETransportPolicy(os.Args[i])
		}
	}
	if options["--rsa"] {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		check(err)
		certificate, err := webrtc.GenerateCertificate(key)
		check(err)
		configuration.Certificates = []webrtc.Certificate{*certificate}
	}
	connect := webrtc.NewPeerConnection
	if options["--tcp"] {
		connect = overTCP
	}
	pc, err := connect(configuration)
	check(err)
	p := &peer{pc: pc, channels: map[string]*webrtc.DataChannel{}, sums: map[string]*sum{}, tracks: map[string]*figures{},
		echo: map[string]*webrtc.TrackLocalStaticRTP{}}
	pc.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		if candidate != nil {
			write(candidate.ToJSON())
		}
	})
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) { write(line{"connection": state.String()}) })
	pc.OnDataChannel(p.use)
	pc.OnTrack(p.onTrack)
	if options["--media"] {
		p.addTracks()
	}
	if options["--data"] {
		channel, err := pc.CreateDataChannel("chat", nil)
		check(err)
		p.use(channel)
	}
	if options["--offer"] {
		p.offer(false)
	}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(make([]byte, 1<<20), 1<<22)
	for input.Scan() {
		m := &message{}
		check(json.Unmarshal(input.Bytes(), m))
		p.onLine(m)
	}
	check(pc.Close())
}
