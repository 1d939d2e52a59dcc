package loop

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"groupcast/protocol"
)

// sendOf is a send_to_group command of exactly n bytes.
func sendOf(group string, n int) (command, message string) {
	head := fmt.Sprintf(`{"cmd":"send_to_group","group_id":%q,"message":"`, group)
	message = strings.Repeat("m", n-len(head)-len(`"}`))
	return head + message + `"}`, message
}

// TestMessageLimit is at the edge of MaxMessageBytes, whole and in fragments,
// from one header length to the next.
func TestMessageLimit(t *testing.T) {
	for _, limit := range []int{125, 126, 1000, 65535, 64 << 10} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			_, addr := start(t, func(o *Options) { o.MaxMessageBytes = limit })
			other := open(t, addr)
			other.join("g")
			command, message := sendOf("g", limit)
			w := open(t, addr)
			w.write(textFrame(command))
			w.write(join(frame(openText, command[:7]), frame(moreText, command[7:99]), frame(lastText, command[99:])))
			other.want(message, message)
			w.sync()
			w.write(frameHeader(firstText, uint64(limit+1)))
			w.wantClose(1009)
			w = open(t, addr)
			w.write(join(frame(openText, command[:99]), frameHeader(lastText, uint64(limit+1-99))))
			w.wantClose(1009)
			other.sync()
		})
	}
}

// TestFragmentLimit is at the edge of MaxFragments, empty ones included.
func TestFragmentLimit(t *testing.T) {
	const limit = 1024 // the contract's
	_, addr := start(t, nil)
	const command = `{"cmd":"ping"}`
	for _, n := range []int{limit, limit + 1} {
		w := open(t, addr)
		b := frame(openText, command[:5])
		for range n - 2 {
			b = append(b, frame(moreText, "")...)
		}
		w.write(join(b, frame(lastText, command[5:])))
		if n > limit {
			w.wantClose(1008)
		} else {
			w.want(`{"cmd":"ack"}`)
			w.sync()
		}
	}
}

// wantError wants an error with that code and req_id.
func (w *wire) wantError(code, reqID string) {
	w.tb.Helper()
	if got, want := w.next(), fmt.Sprintf(`{"cmd":"error","req_id":%s,"code":%q,`, reqID, code); !strings.HasPrefix(got,
		want) {
		w.tb.Fatalf("received %s, want %s...", got, want)
	}
}

// add asks to join with a req_id of 1 and does not wait.
func (w *wire) add(group string) {
	w.tb.Helper()
	w.say(`{"cmd":"add_group","group_id":%q,"req_id":1}`, group)
}

func (w *wire) leave(group string) {
	w.tb.Helper()
	w.say(`{"cmd":"leave_group","group_id":%q,"req_id":0}`, group)
	w.want(ackOf("0"))
}

// TestGroupLimits are at the edges of MaxGroupsPerSession, MaxGroups,
// MaxMembers and MaxGroupBytes. Beyond one, the join alone is refused; a place
// that is given back is free again.
func TestGroupLimits(t *testing.T) {
	t.Run("MaxGroupsPerSession", func(t *testing.T) {
		_, addr := start(t, func(o *Options) { o.MaxGroupsPerSession = 3 })
		w, other := open(t, addr), open(t, addr)
		w.join("1", "2", "3")
		other.join("1")
		w.add("4")
		w.wantError("too_many_groups", "1")
		w.join("3") // it is in that one
		w.leave("2")
		w.join("4")
		w.say(`{"cmd":"send_to_group","group_id":"4","message":"in"}`)
		w.want("in")
		other.join("4")
	})
	t.Run("MaxGroups", func(t *testing.T) {
		e, addr := start(t, func(o *Options) { o.Loops, o.MaxGroups = 1, 3 })
		w, other := open(t, addr), open(t, addr)
		w.join("1", "2", "3")
		other.add("4")
		other.wantError("overloaded", "1")
		other.join("3")
		w.leave("3") // other is still in it
		w.add("4")
		w.wantError("overloaded", "1")
		other.leave("3")
		w.join("4")
		w.reset()
		waitStats(t, e, "its groups are gone", func(s ReactorStats) bool { return s.Groups == 0 })
		other.join("5", "6", "7")
	})
	t.Run("MaxMembers", func(t *testing.T) {
		e, addr := start(t, func(o *Options) { o.MaxMembers, o.MaxGroupsPerSession = 3, 2 })
		members := []*wire{open(t, addr), open(t, addr), open(t, addr)} // on both loops
		for _, w := range members {
			w.join("g", "g")
		}
		late := open(t, addr)
		late.add("g")
		late.wantError("overloaded", "1")
		late.join("another")
		members[0].leave("g")
		late.join("g")
		members[0].add("g")
		members[0].wantError("overloaded", "1")
		members[1].reset()
		waitStats(t, e, "it is gone", func(s ReactorStats) bool { return s.Sessions == 3 })
		members[0].join("g")
		late.add("third") // a join that is refused for another reason takes no place
		late.wantError("too_many_groups", "1")
	})
	t.Run("MaxGroups and MaxMembers", func(t *testing.T) {
		_, addr := start(t, func(o *Options) { o.Loops, o.MaxGroups, o.MaxMembers = 1, 1, 1 })
		w, other := open(t, addr), open(t, addr)
		w.join("1")
		for range 2 { // a join that is refused takes no place
			other.add("2")
			other.wantError("overloaded", "1")
		}
		w.leave("1")
		other.join("2")
	})
	t.Run("MaxGroupBytes", func(t *testing.T) {
		_, addr := start(t, nil)
		w := open(t, addr)
		w.join(strings.Repeat("g", 256), strings.Repeat("ä", 128))
		for _, long := range []string{strings.Repeat("g", 257), strings.Repeat("ä", 128) + "x", ""} {
			w.add(long)
			w.wantError("bad_group", "1")
		}
	})
}

// wantUnavailable wants a 503 that says when to come back.
func (w *wire) wantUnavailable() {
	w.tb.Helper()
	status, head := w.response()
	if status != 503 || !strings.Contains(head, "Retry-After: ") {
		w.tb.Fatalf("answered %s", head)
	}
	if _, err := io.Copy(io.Discard, w.in); err != nil {
		w.tb.Fatalf("after the answer: %v", err)
	}
	_ = w.c.Close()
}

// TestConnectionLimits are at the edges of MaxConns, MaxConnsPerIP and
// MaxHandshakes: one more is answered 503, those who are in are not touched,
// and who leaves makes room.
func TestConnectionLimits(t *testing.T) {
	const limit = 4
	t.Run("MaxConns", func(t *testing.T) {
		e, addr := start(t, func(o *Options) { o.MaxConns = limit })
		members := make([]*wire, limit)
		for i := range members {
			members[i] = open(t, addr)
			members[i].join("g")
		}
		connect(t, addr).wantUnavailable()
		for range 20 { // an answer that can be read, although nobody reads the request
			refused := connect(t, addr)
			refused.write([]byte(headOf(20_000)))
			refused.wantUnavailable()
		}
		members[0].reset()
		waitFor(t, "room", func() bool { return e.shared.Conns.Load() < limit })
		members[0] = open(t, addr)
		members[0].join("g")
		members[0].say(`{"cmd":"send_to_group","group_id":"g","message":"all"}`)
		for _, w := range members {
			w.want("all")
		}
		if n := refusals(e); n != 21 {
			t.Errorf("%d refusals counted, want 21", n)
		}
	})
	t.Run("MaxConnsPerIP", func(t *testing.T) {
		e, addr := start(t, func(o *Options) { o.MaxConnsPerIP = limit })
		_, port, _ := net.SplitHostPort(addr)
		six := serve(t, e, "tcp", "[::]:0") // where an IPv4 client has an IPv6 address
		_, port6, _ := net.SplitHostPort(six)
		one := make([]*wire, limit)
		for i := range one {
			at := net.JoinHostPort("127.0.0.1", []string{port, port6}[i%2])
			one[i] = openWith(t, from("127.0.0.1"), at)
		}
		connectWith(t, from("127.0.0.1"), addr).wantUnavailable()
		connectWith(t, from("127.0.0.1"), net.JoinHostPort("127.0.0.1", port6)).wantUnavailable()
		openWith(t, from("127.0.0.2"), addr).sync()
		one[0].reset()
		waitFor(t, "room", func() bool { return e.shared.Conns.Load() < limit+1 })
		openWith(t, from("127.0.0.1"), addr).sync()
		connectWith(t, from("127.0.0.1"), addr).wantUnavailable()
		for _, w := range one[1:] {
			w.sync()
		}
	})
	t.Run("UncountedIPs", func(t *testing.T) {
		proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
		e, addr := start(t, func(o *Options) { o.MaxConnsPerIP, o.UncountedIPs = 1, proxies })
		for range 3 {
			openWith(t, from("127.0.0.2"), addr).sync()
		}
		one := openWith(t, from("127.0.0.1"), addr)
		connectWith(t, from("127.0.0.1"), addr).wantUnavailable()
		one.sync()
		if got := e.shared.Addresses.Keys(); got != 1 {
			t.Errorf("%d addresses are counted", got)
		}
	})
	t.Run("IPv6PrefixBits", func(t *testing.T) {
		e, _ := start(t, func(o *Options) { o.MaxConnsPerIP, o.IPv6PrefixBits = 1, 56 })
		for _, c := range []struct {
			text string
			want bool
		}{{"2001:db8::1", true}, {"2001:db8:0:ff::1", false}, {"2001:db8:0:100::1", true}} {
			addr := &net.TCPAddr{IP: net.ParseIP(c.text)}
			got := e.shared.EnterAddress(addr)
			if got != c.want {
				t.Errorf("%s: %t", c.text, got)
			}
			if got {
				defer e.shared.ExitAddress(addr)
			}
		}
	})
	t.Run("MaxHandshakes", func(t *testing.T) {
		e, addr := start(t, func(o *Options) { o.MaxHandshakes = limit })
		stays := open(t, addr)
		waiting := make([]*wire, limit)
		for i := range waiting {
			waiting[i] = connect(t, addr)
			waitFor(t, "it is accepted", func() bool { return e.shared.Handshakes.Load() == int64(i+1) })
		}
		connect(t, addr).wantUnavailable()
		waiting[0].write([]byte(upgradeHead))
		waiting[0].upgraded() // out of the handshakes
		open(t, addr).sync()
		waiting[1].reset()
		waitFor(t, "room", func() bool { return e.shared.Handshakes.Load() < limit-1 })
		open(t, addr).sync()
		stays.sync()
	})
}

func refusals(e *Engine) int {
	return int(e.refusedConns.Load() + e.refusedHandshakes.Load() + e.refusedPerIP.Load() + e.refusedDraining.Load())
}

// TestRefusalLimit: MaxRefusals connections are being refused at a time; the
// next is not even accepted until one of them ends, and then has its answer.
func TestRefusalLimit(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.MaxConns, o.MaxRefusals = 1, 2 })
	stays := open(t, addr)
	refused := make([]*wire, 6)
	for i := range refused {
		refused[i] = connect(t, addr)
	}
	for i := range refused {
		if held := e.refuser.Len(); held > 2 {
			t.Errorf("%d are being refused at once, want at most 2", held)
		}
		refused[i].wantUnavailable()
	}
	waitFor(t, "all are counted", func() bool { return refusals(e) == 6 && e.refuser.Len() == 0 })
	stays.sync()
}

// from is a dialer with this source address.
func from(ip string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
}

// TestAddressOverItsLimitKeepsNobodyOut: who is over the limit of connections
// of one address, and holds on to every refusal, does not keep others waiting.
func TestAddressOverItsLimitKeepsNobodyOut(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.MaxConnsPerIP, o.MaxRefusals = 1, 1 })
	stays := open(t, addr)
	for range 20 {
		connect(t, addr) // is refused, and does not close
	}
	openWith(t, from("127.0.0.2"), addr).sync()
	if held := refusals(e); held != 20 {
		t.Errorf("%d were refused before the other came in, want 20", held)
	}
	stays.sync()
}

// TestReceiveRate: a session that sends more bytes than it may is closed with 1008, whatever
// they mean; the largest message passes, and others are not concerned.
func TestReceiveRate(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.ReceiveRate, o.MaxMessageBytes = 1, 1000 })
	other, w := open(t, addr), open(t, addr)
	other.sync()
	w.say(`{"cmd":"ping","x":"%s"}`, strings.Repeat("x", 900))
	if text := w.next(); !strings.Contains(text, "bad_command") && !strings.Contains(text, "ack") {
		t.Errorf("the first: %s", text)
	}
	flood := make([]byte, 0, 100<<10)
	for len(flood) < 90<<10 {
		flood = append(flood, textFrame(strings.Repeat("x", 900))...)
	}
	w.write(flood)
	if code, reason, _ := w.untilClose(); code != 1008 || reason != "receive rate" {
		t.Errorf("closed with %d, %q", code, reason)
	}
	if n := sum(t, e).FloodClosed; n != 1 {
		t.Errorf("%d counted", n)
	}
	other.sync()
}

// TestCommandRate: a burst passes, one more is answered rate_limited, time
// makes room, and who never stops is closed with 1008.
func TestCommandRate(t *testing.T) {
	e, addr := start(t, func(o *Options) { o.CommandRate, o.CommandBurst = 0.001, 5 })
	other := open(t, addr)
	other.join("g")
	w := open(t, addr)
	for i := range 7 {
		w.say(`{"cmd":"send_to_group","group_id":"g","message":"%d","req_id":%d}`, i, i)
	}
	other.want("0", "1", "2", "3", "4")
	acks := 0
	for range 7 { // an ack goes through the broker, an error does not
		if text := w.next(); text == ackOf(fmt.Sprint(acks)) {
			acks++
		} else if !strings.HasPrefix(text, `{"cmd":"error","req_id":`) || !strings.Contains(text, `"code":"rate_limited"`) {
			t.Errorf("received %s", text)
		}
	}
	if acks != 5 {
		t.Errorf("%d acks, want 5", acks)
	}
	const refusedInARow = 1000 // of the contract
	flood := join()
	for range refusedInARow + 100 {
		flood = append(flood, textFrame("not even JSON")...)
	}
	w.write(flood)
	code, _, texts := w.untilClose()
	if code != 1008 || len(texts) != refusedInARow-2-1 {
		t.Errorf("closed with %d after %d answers, want 1008 after %d", code, len(texts), refusedInARow-3)
	}
	if s := sum(t, e); s.RateClosed != 1 || s.Errors.Of(protocol.CodeRateLimited) != refusedInARow {
		t.Errorf("%d closed for their rate, %d refused; want 1, %d", s.RateClosed, s.Errors.Of(protocol.CodeRateLimited),
			refusedInARow)
	}
	other.sync()

	e, addr = start(t, func(o *Options) { o.CommandRate, o.CommandBurst = 50, 1 })
	w = open(t, addr)
	begin, passed := time.Now(), 0
	for passed < 5 {
		w.say(`{"cmd":"ping"}`)
		if w.next() == `{"cmd":"ack"}` {
			passed++
		}
		<-time.After(time.Millisecond)
	}
	// The first is the burst; the other four are worth 20 ms each.
	if elapsed := time.Since(begin); elapsed < 75*time.Millisecond {
		t.Errorf("five commands passed within %s", elapsed)
	}
	if s := sum(t, e); s.RateClosed != 0 {
		t.Errorf("%d closed", s.RateClosed)
	}
}

// TestPingsAreNoCommands: control frames are not charged to the rate.
func TestPingsAreNoCommands(t *testing.T) {
	_, addr := start(t, func(o *Options) { o.CommandRate, o.CommandBurst = 0.001, 1 })
	w := open(t, addr)
	for range 10 {
		w.write(frame(fin|byte(ws.OpPing), "p"))
		if op, payload, err := w.tryRead(); op != ws.OpPong || payload != "p" {
			t.Fatalf("opcode %d %q, error %v", op, payload, err)
		}
	}
	w.sync()
}
