// SPDX-License-Identifier: Apache-2.0

// A Pion peer that speaks the JSON lines of `linnet peer`: offers or answers, echoes what it hears on
// data channels, and says what tracks bring. For tests.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"github.com/pion/webrtc/v3"
)

type line map[string]interface{}

var out sync.Mutex

func say(l line) {
	text, _ := json.Marshal(l)
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

func use(channel *webrtc.DataChannel, echo bool) {
	channel.OnOpen(func() { say(line{"channel": channel.Label(), "state": "open"}) })
	channel.OnClose(func() { say(line{"channel": channel.Label(), "state": "closed"}) })
	channel.OnMessage(func(message webrtc.DataChannelMessage) {
		if echo {
			if message.IsString {
				check(channel.SendText(string(message.Data)))
			} else {
				check(channel.Send(message.Data))
			}
			return
		}
		if message.IsString {
			say(line{"channel": channel.Label(), "data": string(message.Data)})
		} else {
			say(line{"channel": channel.Label(), "data64": base64.StdEncoding.EncodeToString(message.Data)})
		}
	})
}

func main() {
	offer := len(os.Args) > 1 && os.Args[1] == "--offer"
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	check(err)
	pc.OnICECandidate(func(candidate *webrtc.ICECandidate) {
		if candidate != nil {
			text, _ := json.Marshal(candidate.ToJSON())
			out.Lock()
			fmt.Println(string(text))
			out.Unlock()
		}
	})
	pc.OnConnectionStateChange(func(state webrtc.PeerConnectionState) { say(line{"state": state.String()}) })
	pc.OnDataChannel(func(channel *webrtc.DataChannel) { use(channel, true) })
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for count := 1; ; count++ {
			if _, _, err := track.ReadRTP(); err != nil {
				return
			}
			if count == 50 {
				say(line{"track": track.Kind().String(), "codec": track.Codec().MimeType, "packets": count})
			}
		}
	})
	if offer {
		channel, err := pc.CreateDataChannel("chat", nil)
		check(err)
		use(channel, true)
		description, err := pc.CreateOffer(nil)
		check(err)
		check(pc.SetLocalDescription(description))
		say(line{"type": "offer", "sdp": description.SDP})
	}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(make([]byte, 1<<20), 1<<22)
	for input.Scan() {
		var message struct {
			Type      string
			SDP       string
			Candidate *string
			SDPMid    *string `json:"sdpMid"`
		}
		check(json.Unmarshal(input.Bytes(), &message))
		switch {
		case message.Type != "":
			check(pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.NewSDPType(message.Type), SDP: message.SDP}))
			if message.Type == "offer" {
				description, err := pc.CreateAnswer(nil)
				check(err)
				check(pc.SetLocalDescription(description))
				say(line{"type": "answer", "sdp": description.SDP})
			}
		case message.Candidate != nil && *message.Candidate != "":
			check(pc.AddICECandidate(webrtc.ICECandidateInit{Candidate: *message.Candidate, SDPMid: message.SDPMid}))
		}
	}
	check(pc.Close())
}
