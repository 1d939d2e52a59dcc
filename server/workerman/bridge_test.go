package workerman

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"golang.org/x/sync/errgroup"

	"groupcast/loop"
	"groupcast/protocol/workerman"
)

// stubborn is an engine whose PublishAll a test can replace.
type stubborn struct {
	*loop.Engine
	publish atomic.Pointer[func(context.Context, loop.Publication) (uint64, error)]
}

func (s *stubborn) PublishAll(ctx context.Context, p loop.Publication) (uint64, error) {
	if f := s.publish.Load(); f != nil {
		return (*f)(ctx, p)
	}
	return s.Engine.PublishAll(ctx, p)
}

func (s *stubborn) replace(f func(context.Context, loop.Publication) (uint64, error)) {
	s.publish.Store(&f)
}

// TestBridge: PHP programs and WebSocket clients serve the same groups.
func TestBridge(t *testing.T) {
	e, url := startEngine(t, nil)
	s := startServer(t, NewNode(), e, nil)
	php := subscriber(t, s.addr, GroupChannel)
	m := join(t, url, "123", "grün")

	// PHP to the group, and to itself; integers and strings are one group.
	php.send(with("publish", GroupChannel, groupData("123", "from PHP")))
	m.want("from PHP")
	php.want(eventOf(GroupChannel, groupData("123", "from PHP")))
	other := `a:3:{s:4:"from";a:1:{i:0;N;}s:8:"group_id";i:123;s:7:"message";s:1:"2";}`
	php.send(with("publish", GroupChannel, other))
	m.want("2")
	php.want(eventOf(GroupChannel, other)) // as it came

	// The group to PHP: the sender gets its own, too.
	m.send(`{"cmd":"send_to_group","group_id":123,"message":"from a browser"}`)
	m.want("from a browser")
	php.want(eventOf(GroupChannel, groupData("123", "from a browser")))
	m.send(`{"cmd":"send_to_group","group_id":"grün","message":{"a": [1, "ü"]}}`)
	m.want(`{"a": [1, "ü"]}`)
	php.want(eventOf(GroupChannel, groupData("grün", `{"a": [1, "ü"]}`)))
	publish(t, e, "nobody's", "from the API")
	php.want(eventOf(GroupChannel, groupData("nobody's", "from the API")))

	// Other channels, and publishLoop, are nobody's business.
	php.send(about("subscribe", "other"))
	php.send(with("publish", "other", groupData("123", "no")))
	php.want(eventOf("other", groupData("123", "no")))
	php.send(with("publishLoop", GroupChannel, groupData("123", "no")))
	php.want(eventOf(GroupChannel, groupData("123", "no")))
	php.send(with("publish", GroupChannel, groupData("123", "end")))
	m.want("end")

	b := s.Stats().Bridge
	if b.ToGroups.Load() != 3 || b.ToSubscribers.Load() != 6 || sumOf(b.Refused.All()) != 0 || b.Dropped != 0 ||
		b.Own.Load() != 0 {
		t.Errorf("%+v", b)
	}
	if n := s.Stats().EventsUnheard; n != 0 {
		t.Errorf("%d events without a subscriber: a group's message is none", n)
	}
}

// TestBridgedValues: what of PHP's values a group's members get.
func TestBridgedValues(t *testing.T) {
	e, url := startEngine(t, func(o *loop.Options) { o.MaxGroupBytes, o.MaxMessageBytes = 10, 100 })
	s := startServer(t, NewNode(), e, nil)
	php := subscriber(t, s.addr, GroupChannel)
	m := joinWith(t, url, &websocket.DialOptions{Subprotocols: []string{"groupcast.v1"}}, "g", "5", "-7")
	big := strings.Repeat("x", 101)
	for name, test := range map[string]struct {
		group, message string // serialized
		want           string // as JSON, or a reason
	}{
		"string":              {`s:1:"g";`, `s:3:"a"b";`, `"a\"b"`},
		"empty string":        {`s:1:"g";`, `s:0:"";`, `""`},
		"string of a number":  {`s:1:"g";`, `s:2:"42";`, `"42"`},
		"integer":             {`s:1:"g";`, `i:42;`, `42`},
		"integer with a plus": {`s:1:"g";`, `i:+042;`, `42`},
		"float":               {`s:1:"g";`, `d:1.5;`, `1.5`},
		"whole float":         {`s:1:"g";`, `d:3;`, `3.0`},
		"float with a point":  {`s:1:"g";`, `d:.5;`, `0.5`},
		"large float":         {`s:1:"g";`, `d:1.0E+25;`, `1.0e+25`},
		"true":                {`s:1:"g";`, `b:1;`, `"1"`},
		"false":               {`s:1:"g";`, `b:0;`, `""`},
		"integer group":       {`i:5;`, `s:1:"m";`, `"m"`},
		"negative group":      {`i:-07;`, `s:1:"m";`, `"m"`},
		"infinity":            {`s:1:"g";`, `d:INF;`, "bad_message"},
		"no number":           {`s:1:"g";`, `d:NAN;`, "bad_message"},
		"float beyond":        {`s:1:"g";`, `d:1e999;`, "bad_message"},
		"null":                {`s:1:"g";`, `N;`, `null`},
		"empty array":         {`s:1:"g";`, `a:0:{}`, `[]`},
		"list":                {`s:1:"g";`, `a:2:{i:0;d:1;i:1;s:4:"a/ü";}`, `[1,"a\/ü"]`},
		"array":               {`s:1:"g";`, `a:1:{s:1:"k";a:1:{i:1;N;}}`, `{"k":{"1":null}}`},
		"array with infinity": {`s:1:"g";`, `a:1:{i:0;d:INF;}`, "bad_message"},
		"array not UTF-8":     {`s:1:"g";`, "a:1:{i:0;s:1:\"\xff\";}", "not_utf8"},
		"array too large":     {`s:1:"g";`, `a:1:{i:0;` + str(big) + `}`, "too_large"},
		"not UTF-8":           {`s:1:"g";`, "s:1:\"\xff\";", "not_utf8"},
		"too large":           {`s:1:"g";`, str(big), "too_large"},
		"empty group":         {`s:0:"";`, `s:1:"m";`, "bad_group"},
		"long group":          {`s:11:"01234567890";`, `s:1:"m";`, "bad_group"},
		"group not UTF-8":     {"s:1:\"\xff\";", `s:1:"m";`, "bad_group"},
		"float group":         {`d:1.5;`, `s:1:"m";`, "bad_group"},
		"null group":          {`N;`, `s:1:"m";`, "bad_group"},
	} {
		t.Run(name, func(t *testing.T) {
			php.tb, m.tb = t, t
			b := s.Stats().Bridge // counts on
			published, refused := b.ToGroups.Load(), maps.Collect(b.Refused.All())
			data := `a:2:{s:8:"group_id";` + test.group + `s:7:"message";` + test.message + `}`
			php.send(with("publish", GroupChannel, data))
			php.want(eventOf(GroupChannel, data)) // in any case
			php.sync()
			if !json.Valid([]byte(test.want)) {
				if get(t, b.Refused.All(), test.want) != refused[test.want]+1 || b.ToGroups.Load() != published {
					t.Errorf("not refused as %s: %v, were %v", test.want, maps.Collect(b.Refused.All()), refused)
				}
				return
			}
			if b.ToGroups.Load() != published+1 || sumOf(b.Refused.All()) != sumOf(maps.All(refused)) {
				t.Errorf("%d published, were %d; refused %v, were %v", b.ToGroups.Load(), published,
					maps.Collect(b.Refused.All()), refused)
			}
			if got := m.next(); !strings.HasSuffix(got, `"message":`+test.want+`}`) {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
	for _, data := range []string{
		`N;`, `s:1:"x";`, `a:0:{}`, `a:1:{s:7:"message";s:1:"m";}`,
		`a:1:{s:8:"group_id";s:1:"g";}`,
	} {
		php.tb = t
		php.send(with("publish", GroupChannel, data))
		php.want(eventOf(GroupChannel, data))
	}
	if n := get(t, s.Stats().Bridge.Refused.All(), "shape"); n != 5 {
		t.Errorf("%d of no shape", n)
	}
	// A reference is not followed for the group.
	php.send(with("publish", GroupChannel, `a:3:{s:1:"x";s:1:"m";s:8:"group_id";s:1:"g";s:7:"message";R:6;}`))
	php.want(eventOf(GroupChannel, `a:3:{s:1:"x";s:1:"m";s:8:"group_id";s:1:"g";s:7:"message";R:5;}`))
}

// TestBridgeOrder: subscribers, members and the broker's numbers agree, with
// publishers of both kinds.
func TestBridgeOrder(t *testing.T) {
	const php, browsers, each = 3, 3, 200
	e, url := startEngine(t, nil)
	s := startServer(t, NewNode(), e, nil)
	a, b := subscriber(t, s.addr, GroupChannel), subscriber(t, s.addr, GroupChannel)
	m, n := join(t, url, "g"), join(t, url, "g")
	var work errgroup.Group
	for i := range php {
		p := dial(t, s.addr)
		if i == 0 {
			p = a // a subscriber that publishes
		}
		work.Go(func() error {
			for j := range each {
				p.send(with("publish", GroupChannel, groupData("g", fmt.Sprintf("php%d-%d", i, j))))
			}
			return nil
		})
	}
	for i := range browsers {
		c := join(t, url)
		if i == 0 {
			c = m
		}
		work.Go(func() error {
			for j := range each {
				c.send(`{"cmd":"send_to_group","group_id":"g","message":"ws%d-%d"}`, i, j)
			}
			return nil
		})
	}
	lists := make([][]string, 4)
	for i, next := range []func() (string, error){m.tryNext, n.tryNext, a.tryNext, b.tryNext} {
		work.Go(func() error {
			for range (php + browsers) * each {
				text, err := next()
				if err != nil {
					return fmt.Errorf("reader %d after %d: %w", i, len(lists[i]), err)
				}
				if i >= 2 {
					_, text, _ = strings.Cut(text, `s:7:"message";s:`)
					_, text, _ = strings.Cut(text, `"`)
					text, _, _ = strings.Cut(text, `"`)
				}
				lists[i] = append(lists[i], text)
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(lists); i++ {
		if !slices.Equal(lists[0], lists[i]) {
			t.Errorf("reader %d saw another order", i)
		}
	}
	last := make(map[string]int)
	for _, text := range lists[0] {
		who, number, _ := strings.Cut(text, "-")
		var k int
		if _, err := fmt.Sscan(number, &k); err != nil || k != last[who] {
			t.Fatalf("%s after %s-%d", text, who, last[who]-1)
		}
		last[who]++
	}
}

// TestPublisherOrder: a publisher's events keep their order, also those that
// the group is refused, and those of other channels.
func TestPublisherOrder(t *testing.T) {
	e, _ := startEngine(t, nil)
	s := startServer(t, NewNode(), e, nil)
	reader := subscriber(t, s.addr, GroupChannel, "other")
	w := dial(t, s.addr)
	for i := range 300 {
		n := fmt.Sprint(i)
		w.send(with("publish", GroupChannel, groupData("g", n)))
		w.send(with("publish", GroupChannel, groupData("", n)))
		w.send(with("publish", "other", str(n)))
	}
	for i := range 300 {
		n := fmt.Sprint(i)
		reader.want(eventOf(GroupChannel, groupData("g", n)))
		reader.want(eventOf(GroupChannel, groupData("", n)))
		reader.want(eventOf("other", str(n)))
	}
}

// TestBridgeOverload: while the broker has no room a publisher waits, and
// nobody else does; after PublishTimeout its event goes to PHP alone.
func TestBridgeOverload(t *testing.T) {
	real, url := startEngine(t, nil)
	e := &stubborn{Engine: real}
	s := startServer(t, NewNode(), e, func(o *Options) { o.PublishTimeout = 200 * time.Millisecond })
	reader := subscriber(t, s.addr, GroupChannel, "other")
	m := join(t, url, "g")
	waiting := make(chan struct{})
	var once sync.Once
	e.replace(func(ctx context.Context, _ loop.Publication) (uint64, error) {
		once.Do(func() { close(waiting) })
		<-ctx.Done()
		return 0, fmt.Errorf("publish: %w", loop.ErrOverloaded)
	})
	w, x := dial(t, s.addr), dial(t, s.addr)
	w.send(with("publish", GroupChannel, groupData("g", "1")))
	w.send(with("publish", "other", "i:1;"))
	<-waiting
	x.send(with("publish", "other", "i:2;"))
	reader.want(eventOf("other", "i:2;")) // not held up
	reader.want(eventOf(GroupChannel, groupData("g", "1")))
	reader.want(eventOf("other", "i:1;"))
	if b := s.Stats().Bridge; get(t, b.Refused.All(), "overloaded") != 1 || b.ToGroups.Load() != 0 {
		t.Errorf("%+v", b)
	}

	// An event that is in the broker when the time is over comes once.
	e.replace(func(ctx context.Context, p loop.Publication) (uint64, error) {
		if _, err := real.PublishAll(context.WithoutCancel(ctx), p); err != nil {
			return 0, err
		}
		return 0, context.DeadlineExceeded
	})
	w.send(with("publish", GroupChannel, groupData("g", "2")))
	m.want("2")
	reader.want(eventOf(GroupChannel, groupData("g", "2")))

	// Closed under it, after the sink has it: once, too.
	e.replace(func(ctx context.Context, p loop.Publication) (uint64, error) {
		if _, err := real.PublishAll(context.WithoutCancel(ctx), p); err != nil {
			return 0, err
		}
		return 0, loop.ErrClosed
	})
	w.send(with("publish", GroupChannel, groupData("g", "3")))
	reader.want(eventOf(GroupChannel, groupData("g", "3")))
	e.replace(func(ctx context.Context, p loop.Publication) (uint64, error) {
		return real.PublishAll(context.WithoutCancel(ctx), p) // however busy the machine is
	})
	w.send(with("publish", GroupChannel, groupData("g", "4")))
	reader.want(eventOf(GroupChannel, groupData("g", "4")))
	if b := s.Stats().Bridge; get(t, b.Refused.All(), "late") != 1 || get(t, b.Refused.All(), "draining") != 1 {
		t.Errorf("%+v", b)
	}
}

// TestBridgeDraining: PHP programs go on among themselves.
func TestBridgeDraining(t *testing.T) {
	e, url := startEngine(t, nil)
	s := startServer(t, NewNode(), e, nil)
	php := subscriber(t, s.addr, GroupChannel)
	m := join(t, url, "g")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var work errgroup.Group
	work.Go(func() error {
		_, err := e.Drain(ctx, ws.StatusGoingAway, 0)
		return err
	})
	if _, err := m.tryNext(); websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Error(err)
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	php.send(with("publish", GroupChannel, groupData("g", "x")))
	php.want(eventOf(GroupChannel, groupData("g", "x")))
	if n := get(t, s.Stats().Bridge.Refused.All(), "draining"); n != 1 {
		t.Errorf("%d refused", n)
	}
}

// TestBridgeSinkFull: what finds the way from the broker full is missed by
// subscribers, counted, and nobody waits for it.
func TestBridgeSinkFull(t *testing.T) {
	e, url := startEngine(t, nil)
	s := startServer(t, NewNode(), e, func(o *Options) { o.SinkMessages = 4 })
	php := subscriber(t, s.addr, GroupChannel)
	m := join(t, url, "g")
	// The bridge stands still while somebody holds the hub.
	s.hub.mu.Lock()
	publish(t, e, "g", "first")
	eventually(t, "the bridge to take it", func() bool { return s.bridge.sink.Stats().QueuedMessages == 0 })
	for i := range 10 {
		publish(t, e, "g", fmt.Sprint(i))
	}
	w := dial(t, s.addr)
	w.send(with("publish", GroupChannel, groupData("g", "from PHP")))
	m.want("first")
	for i := range 10 {
		m.want(fmt.Sprint(i))
	}
	m.want("from PHP")
	s.hub.mu.Unlock()
	php.want(eventOf(GroupChannel, groupData("g", "first")))
	for i := range 4 {
		php.want(eventOf(GroupChannel, groupData("g", fmt.Sprint(i))))
	}
	w.sync() // it does not wait for what was dropped
	php.sync()
	if n := s.Stats().Bridge.Dropped; n != 7 {
		t.Errorf("%d dropped, want 7", n)
	}
}

// TestBridgeMessageLargerThanTheSink: an event that can never come out of the sink
// is missed by subscribers, and its publisher is read again though nothing follows.
func TestBridgeMessageLargerThanTheSink(t *testing.T) {
	e, url := startEngine(t, nil)
	s := startServer(t, NewNode(), e, func(o *Options) { o.SinkBytes = 1000 })
	m := join(t, url, "g")
	w := dial(t, s.addr)
	long := strings.Repeat("x", 2000)
	w.send(with("publish", GroupChannel, groupData("g", long)))
	m.want(long)
	w.sync()
	if n := s.Stats().Bridge.Dropped; n != 1 {
		t.Errorf("%d dropped, want 1", n)
	}
}

// TestBridgeClose: what the broker has ordered before Close reaches the subscribers.
func TestBridgeClose(t *testing.T) {
	e, _ := startEngine(t, nil)
	s := startServer(t, NewNode(), e, nil)
	php := subscriber(t, s.addr, GroupChannel)
	const n = 500
	eventually(t, "what php.sync leaves to be served", func() bool { return s.Stats().Subscriptions == 1 })
	// The bridge stands still while somebody holds the hub.
	s.hub.mu.Lock()
	for i := range n {
		publish(t, e, "g", fmt.Sprint(i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- s.Close(ctx) }()
	eventually(t, "Close to begin", s.isClosing)
	s.reading.Wait()
	s.hub.mu.Unlock()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	for i := range n {
		php.want(eventOf(GroupChannel, groupData("g", fmt.Sprint(i))))
	}
	php.wantClosed()
	stats, err := e.Stats(ctx)
	if err != nil || len(stats.Sinks) != 0 {
		t.Errorf("sinks left: %+v, %v", stats.Sinks, err)
	}
}

// TestCloseWhileWaiting: Close does not wait for a broker without room longer
// than its context.
func TestCloseWhileWaiting(t *testing.T) {
	real, _ := startEngine(t, nil)
	e := &stubborn{Engine: real}
	s := startServer(t, NewNode(), e, func(o *Options) { o.PublishTimeout = time.Hour })
	waiting := make(chan struct{})
	e.replace(func(ctx context.Context, _ loop.Publication) (uint64, error) {
		close(waiting)
		<-ctx.Done()
		return 0, loop.ErrOverloaded
	})
	dial(t, s.addr).send(with("publish", GroupChannel, groupData("g", "x")))
	<-waiting
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

// TestLargeExtras: an event's other keys come back to PHP programs however
// large, and go on to another groupcast if they are few.
func TestLargeExtras(t *testing.T) {
	e, _ := startEngine(t, nil)
	node := NewNode()
	s := startServer(t, node, e, nil)
	php, other := subscriber(t, s.addr, GroupChannel), dial(t, s.addr)
	hello := workerman.Message{
		Type:     workerman.TypeSubscribe,
		Channels: []workerman.Channel{{Name: []byte(GroupChannel)}}, Mark: []byte(strings.Repeat("a", 16)),
	}
	other.write(hello.AppendFrame(nil))
	other.sync()
	if n := s.Stats().Peers; n != 1 {
		t.Fatalf("%d peers", n)
	}
	mark := `s:9:"groupcast";` + str("text "+node.ID)
	for _, size := range []int{10, 100_000} {
		extra := `s:1:"x";` + str(strings.Repeat("x", size))
		data := `a:3:{` + extra + groupData("g", "m")[5:]
		php.send(with("publish", GroupChannel, data))
		php.want(eventOf(GroupChannel, data))
		if size < 1000 {
			other.want(eventOf(GroupChannel, `a:4:{`+extra+groupData("g", "m")[5:len(groupData("g", "m"))-1]+mark+`}`))
		} else {
			other.want(eventOf(GroupChannel, `a:3:{`+groupData("g", "m")[5:len(groupData("g", "m"))-1]+mark+`}`))
		}
	}
	if n := s.Stats().Bridge.Stripped.Load(); n != 1 {
		t.Errorf("%d stripped", n)
	}
	// What has come through it is not sent to it again, and what came through us is dropped.
	far := strings.Repeat("b", 16)
	for i, text := range []string{"text " + far + " " + strings.Repeat("a", 16), "text " + node.ID + " " + far} {
		php.send(with("publish", GroupChannel, string(workerman.AppendGroupMessage(nil, "g", fmt.Sprint(i), []byte(text)))))
	}
	php.next()
	php.sync()
	other.sync()
	if b := s.Stats().Bridge; b.Own.Load() != 1 {
		t.Errorf("%+v", b)
	}
	// As far as a message comes.
	ids := bytes.Repeat([]byte(" "+far), workerman.MaxHops)
	php.send(with("publish", GroupChannel,
		string(workerman.AppendGroupMessage(nil, "g", "far", append([]byte("text"), ids...)))))
	php.next()
	other.sync()
	if b := s.Stats().Bridge; b.TooFar.Load() != 1 {
		t.Errorf("%+v", b)
	}
}
