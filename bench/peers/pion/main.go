// SPDX-License-Identifier: Apache-2.0

// Pion, measured as `linnet bench` measures linnet: two peer connections in one process over loopback,
// one channel, reliable and ordered.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/pion/webrtc/v3"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "pion:", err)
		os.Exit(1)
	}
}

func row(values map[string]interface{}) {
	values["stack"] = "pion"
	text, _ := json.Marshal(values)
	fmt.Println(string(text))
}

func quantile(values []float64, q float64) float64 {
	sort.Float64s(values)
	return values[int(q*float64(len(values)-1)+0.5)]
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return float64(usage.Utime.Sec+usage.Stime.Sec) + float64(usage.Utime.Usec+usage.Stime.Usec)/1e6
}

func residentKib() int {
	text, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return pages * 4
}

type pair struct {
	a, b         *webrtc.PeerConnection
	channel, far *webrtc.DataChannel
	ms           float64
}

func connect() pair {
	a, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	check(err)
	b, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	check(err)
	early := make(chan webrtc.ICECandidateInit, 100)
	a.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil {
			early <- c.ToJSON()
		}
	})
	late := make(chan webrtc.ICECandidateInit, 100)
	b.OnICECandidate(func(c *webrtc.ICECandidate) {
		if c != nil {
			late <- c.ToJSON()
		}
	})
	far := make(chan *webrtc.DataChannel, 1)
	b.OnDataChannel(func(channel *webrtc.DataChannel) { far <- channel })
	channel, err := a.CreateDataChannel("bench", nil)
	check(err)
	open := make(chan struct{})
	channel.OnOpen(func() { close(open) })
	from := time.Now()
	offer, err := a.CreateOffer(nil)
	check(err)
	check(a.SetLocalDescription(offer))
	check(b.SetRemoteDescription(offer))
	go func() {
		for c := range early {
			_ = b.AddICECandidate(c)
		}
	}()
	answer, err := b.CreateAnswer(nil)
	check(err)
	check(b.SetLocalDescription(answer))
	check(a.SetRemoteDescription(answer))
	go func() {
		for c := range late {
			_ = a.AddICECandidate(c)
		}
	}()
	<-open
	ms := float64(time.Since(from).Microseconds()) / 1000
	return pair{a, b, channel, <-far, ms}
}

func (p pair) close() {
	_ = p.a.Close()
	_ = p.b.Close()
}

func setup() {
	const runs = 250
	var ms []float64
	for i := 0; i < runs; i++ {
		p := connect()
		ms = append(ms, p.ms)
		p.close()
	}
	row(map[string]interface{}{"runs": runs, "connect_ms_median": quantile(ms, 0.5),
		"connect_ms_p95": quantile(ms, 0.95), "connect_ms_max": quantile(ms, 1)})
}

func transfer(bytes int, length time.Duration) (float64, float64, float64) {
	p := connect()
	defer p.close()
	var received, messages uint64
	p.far.OnMessage(func(m webrtc.DataChannelMessage) {
		atomic.AddUint64(&received, uint64(len(m.Data)))
		atomic.AddUint64(&messages, 1)
	})
	message := make([]byte, bytes)
	more := make(chan struct{}, 1)
	p.channel.SetBufferedAmountLowThreshold(4 << 20)
	p.channel.OnBufferedAmountLow(func() {
		select {
		case more <- struct{}{}:
		default:
		}
	})
	from, cpu, end := time.Now(), cpuSeconds(), time.After(length)
	for running := true; running; {
		for p.channel.BufferedAmount() < 8<<20 {
			if p.channel.Send(message) != nil {
				break
			}
		}
		select {
		case <-more:
		case <-end:
			running = false
		}
	}
	seconds, used, got := time.Since(from).Seconds(), cpuSeconds()-cpu, float64(atomic.LoadUint64(&received))
	return got / 1e6 / seconds, float64(atomic.LoadUint64(&messages)) / seconds, used / (got / (1 << 30))
}

func data(sizes string) {
	for _, text := range strings.Split(sizes, ",") {
		bytes, err := strconv.Atoi(text)
		check(err)
		if bytes > 65535 { // what Pion 3.1 sends at most
			bytes = 65535
		}
		var mb, messages, cpu []float64
		for i := 0; i < 5; i++ {
			m, n, c := transfer(bytes, 2*time.Second)
			mb, messages, cpu = append(mb, m), append(messages, n), append(cpu, c)
		}
		row(map[string]interface{}{"message_bytes": bytes, "runs": 5, "mb_per_s": quantile(mb, 0.5),
			"messages_per_s": quantile(messages, 0.5), "cpu_s_per_gib": quantile(cpu, 0.5), "rss_kib": residentKib()})
	}
}

func idle() {
	before := residentKib()
	var pairs []pair
	for i := 0; i < 250; i++ {
		pairs = append(pairs, connect())
	}
	from, cpu := time.Now(), cpuSeconds()
	time.Sleep(30 * time.Second)
	row(map[string]interface{}{"peers": 500, "bytes_per_peer": (residentKib() - before) * 1024 / 500,
		"idle_cores": (cpuSeconds() - cpu) / time.Since(from).Seconds()})
	for _, p := range pairs {
		p.close()
	}
}

func main() {
	switch os.Args[1] {
	case "setup":
		setup()
	case "data":
		data(os.Args[2])
	case "idle":
		idle()
	}
}
