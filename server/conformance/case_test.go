package conformance

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// example is one case: what a client sends, and what must come back.
type example struct {
	name  string
	sends []sending
	back  []received    // messages and pongs
	code  ws.StatusCode // the server closes with; 0: the session goes on
}

func (e example) size() (n int) {
	for _, s := range e.sends {
		n += len(s.payload) + len(s.raw)
	}
	return n
}

// What comes back.
func message(payload string) received { return received{ws.OpText, payload} }

func binaryMessage(payload string) received {
	return received{ws.OpBinary, payload}
}
func pongOf(payload string) received { return received{ws.OpPong, payload} }

// way is how a client's bytes arrive. A small case is one of a few thousand bytes.
type way struct {
	name         string
	small, large int // bytes a segment; 0: such cases are left out
}

var ways = []way{
	{"whole", 1 << 30, 1 << 30},
	{"odd", 7, 997},
	{"single", 1, 0},
}

const smallBytes = 4 << 10

// runChapter runs the cases against each server, by each road, in each way.
func runChapter(t *testing.T, cases []example) {
	t.Helper()
	if raceEnabled {
		runWays(t, cases, []way{ways[0], ways[2]})
		return
	}
	runWays(t, cases, ways)
}

func runWays(t *testing.T, cases []example, ways []way) {
	t.Helper()
	names := make(map[string]bool)
	for _, e := range cases {
		if names[e.name] {
			t.Fatalf("two cases are called %q", e.name)
		}
		names[e.name] = true
	}
	product := startProduct(t, largeLimits)
	for _, target := range []*target{product, startEcho(t)} {
		target.run(t, cases, ways)
	}
}

func (on *target) run(t *testing.T, cases []example, ways []way) {
	t.Helper()
	number := 1
	witness := connect(t, on.plain, nil)
	dressed := on.greet(witness, number)
	for _, road := range []struct {
		name, address string
		secure        *tls.Config
	}{{"TCP", on.plain, nil}, {"TLS", on.secured, on.client}} {
		for _, way := range ways {
			if t.Failed() {
				return
			}
			t.Run(on.name+"/"+road.name+"/"+way.name, func(t *testing.T) {
				for _, e := range cases {
					segment := way.small
					if e.size() > smallBytes {
						segment = way.large
					}
					if segment == 0 {
						continue
					}
					number++
					began := time.Now()
					passed := t.Run(e.name, func(t *testing.T) {
						p := connect(t, road.address, road.secure)
						e.run(p, on.greet(p, number), segment)
					})
					if !passed && time.Since(began) >= patience {
						t.Fatal("one has waited in vain: the rest is not run")
					}
				}
			})
		}
	}
	// All others are gone without a trace, and none of it has come here.
	on.settles(t, 1)
	hello := text("Hello")
	hello.payload = dressed.dress(hello)
	witness.send(hello)
	witness.want("Hello")
}

// run sends the example in segments of so many bytes.
func (e example) run(p *peer, d dialect, segment int) {
	p.t.Helper()
	progress := make(chan int, 1) // how much has come back: the latest
	var writing sync.WaitGroup
	defer writing.Wait()
	defer func() { _ = p.c.Close() }()
	writing.Go(func() { e.write(p, d, segment, progress) })

	want := make([]received, len(e.back))
	for i, one := range e.back {
		want[i] = d.comesBack(one)
	}
	var got []received
	for {
		if e.code == 0 && len(got) == len(want) {
			writing.Wait()
			p.send(closing(1000, ""))
		}
		one, err := p.read()
		if err != nil {
			p.t.Fatalf("%v behind %v, want %v and a close frame", err, got, want)
		}
		if one.op == ws.OpClose {
			e.closed(p, one.payload)
			break
		}
		got = append(got, one)
		select {
		case <-progress:
		default:
		}
		progress <- len(got)
	}
	compare(p.t, d, got, want, e.code != 0)
}

// write sends all of it, waiting where the example does.
func (e example) write(p *peer, d dialect, segment int, progress <-chan int) {
	var b []byte
	flush := func() bool {
		for piece := range slices.Chunk(b, segment) {
			if _, err := p.c.Write(piece); err != nil {
				return false // the reader finds out whether that is right
			}
		}
		b = b[:0]
		return true
	}
	for i, s := range e.sends {
		switch {
		case s.awaits > 0:
			if !flush() {
				return
			}
			for n := range progress {
				if n >= s.awaits {
					break
				}
			}
		case s.raw != nil:
			b = append(b, s.raw...)
		default:
			b = appendFrame(b, s.first, d.dress(s), masks[i%len(masks)])
		}
	}
	flush()
}

// closed looks at the server's close frame, and wants the end of the stream behind it.
func (e example) closed(p *peer, payload string) {
	p.t.Helper()
	want := e.code
	if want == 0 {
		want = 1000 // the answer to ours
	}
	if len(payload) < 2 {
		p.t.Fatalf("a close frame with payload %q, want code %d", payload, want)
	}
	if code := ws.StatusCode(binary.BigEndian.Uint16([]byte(payload))); code != want {
		p.t.Errorf("closed with %d (%s), want %d", code, payload[2:], want)
	}
	one, err := p.read()
	if errors.Is(err, syscall.ECONNRESET) && e.goesOn() {
		return
	}
	if !errors.Is(err, io.EOF) {
		p.t.Errorf("behind the close frame: %v, %v; want the end", one, err)
	}
}

// goesOn reports whether the client sends something behind its close frame. The server has
// answered that and is gone; if the rest comes later, in a segment of its own, the kernel
// answers it with a reset.
func (e example) goesOn() bool {
	at := slices.IndexFunc(e.sends, func(s sending) bool { return s.first == fin|byte(ws.OpClose) })
	return at >= 0 && at < len(e.sends)-1
}

// compare wants got to be want, in its order. The product's pongs stand outside the order of
// messages, and a session that ends does not wait for its own messages.
func compare(t *testing.T, d dialect, got, want []received, ended bool) {
	t.Helper()
	if d.echoes {
		if !slices.Equal(got, want) {
			t.Errorf("received %v, want %v", got, want)
		}
		return
	}
	gotPongs, gotMessages := part(got)
	wantPongs, wantMessages := part(want)
	if ended && len(gotMessages) < len(wantMessages) {
		wantMessages = wantMessages[:len(gotMessages)]
	}
	if !slices.Equal(gotPongs, wantPongs) || !slices.EqualFunc(gotMessages, wantMessages, sameMessage) {
		t.Errorf("received %v, want %v", got, want)
	}
}

// part parts pongs from the others.
func part(all []received) (pongs, messages []received) {
	for _, one := range all {
		if one.op == ws.OpPong {
			pongs = append(pongs, one)
		} else {
			messages = append(messages, one)
		}
	}
	return pongs, messages
}

// sameMessage compares; of an error the beginning is the contract's.
func sameMessage(got, want received) bool {
	if want.payload == badJSON {
		return got.op == want.op && strings.HasPrefix(got.payload, badJSON)
	}
	return got == want
}
