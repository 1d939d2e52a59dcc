package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"groupcast/loop"
	"groupcast/loop/budget"
	"groupcast/loop/ration"
	"groupcast/protocol/subject"
	"groupcast/server/bus/interest"
	"groupcast/server/bus/sent"
	"groupcast/server/bus/wire"
)

// desk is a writer of which the test is the goroutine: it has a connection to a NATS server, and nothing else of
// the bus runs. What it publishes another client of that server sees.
type desk struct {
	*writer
	t      testing.TB
	server *server.Server
	others *nats.Conn
	seen   *nats.Subscription
}

func newDesk(t testing.TB, set ...func(*Options)) *desk {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testLog{t, "web-1"}, nil))
	eo := loop.DefaultOptions()
	eo.Loops, eo.Logger = 1, log
	engine, err := loop.New(eo)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	prefix, err := subject.ParsePrefix("groupcast")
	if err != nil {
		t.Fatal(err)
	}
	o := DefaultOptions()
	o.Node, o.Budget = "web-1", budget.New(1<<30, log)
	for _, f := range set {
		f(&o)
	}
	b := &Bus{
		opt: o, log: log, ration: ration.New(log), engine: engine, epoch: 1, subjects: subjectsOf(prefix, o.Node),
		sink:     engine.NewSink(loop.SinkOptions{Name: "nats", MaxMessages: 2, MaxBytes: 1 << 20, NameMissed: true}),
		drained:  make(chan struct{}),
		in:       make(chan *nats.Msg, 64),
		parcels:  make(chan parcel, 1),
		requests: make(chan request, maxRequests),
		turns:    make(chan struct{}, 1),
		told:     make(chan told, 64),
		flushes:  make(chan flush, 1),
	}
	b.info.Load = func() (sessions, groups int) { return 5, 6 }
	b.stop, b.cancel = context.WithCancel(context.Background())
	t.Cleanup(b.cancel)
	if b.interest, err = interest.New(loops{engine, b}, nil, interest.DefaultOptions(1)); err != nil {
		t.Fatal(err)
	}
	d := &desk{writer: newWriter(b), t: t, server: runServer(t)}
	d.others = foreign(t, d.server)
	if d.seen, err = d.others.SubscribeSync("groupcast.>"); err != nil || d.others.Flush() != nil {
		t.Fatal(err)
	}
	b.named.Store(true)
	d.connect()
	return d
}

// connect is another connection of the node.
func (d *desk) connect() {
	d.t.Helper()
	if was := d.b.conn.Load(); was != nil {
		_ = was.Flush() // unless it has ended
		was.Close()
	}
	d.b.dials.Add(1)
	d.b.conn.Store(foreign(d.t, d.server, nats.NoEcho()))
	d.b.connected.Store(true)
}

// comes is a connection that comes, and that messages go out by.
func (d *desk) comes() {
	d.t.Helper()
	d.look()
	d.join(d.round)
	if d.at != stageJoined {
		d.t.Fatalf("stage %d", d.at)
	}
}

// published has a message for a group, or for several and users, of which the text is its place.
func (d *desk) published(order uint64, groups string, users ...string) {
	m := &message{Payload: fmt.Append(nil, order), IsText: true, Order: order, Users: users}
	if m.Groups = strings.Fields(groups); len(users) == 0 {
		m.Group, m.Groups = groups, nil
	}
	d.take(parcel{message: m})
}

// wants are the messages that the others have seen since, in their order.
func (d *desk) wants(texts ...string) {
	d.t.Helper()
	if conn := d.b.conn.Load(); conn.IsConnected() {
		if err := conn.Flush(); err != nil {
			d.t.Fatal(err)
		}
	}
	if err := d.others.Flush(); err != nil {
		d.t.Fatal(err)
	}
	var got []string
	for n, _, _ := d.seen.Pending(); n > 0; n-- {
		m, err := d.seen.NextMsg(patience)
		if err != nil {
			d.t.Fatal(err)
		}
		got = append(got, shown(m))
	}
	if !slices.Equal(got, texts) {
		d.t.Errorf("the others have seen\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(texts, "\n"))
	}
}

// groupsOfTests are names by their hash.
var groupsOfTests = func() map[uint64]string {
	names := make(map[uint64]string)
	for c := 'a'; c <= 'z'; c++ {
		names[wire.Hash(string(c))] = string(c)
	}
	return names
}()

// shown is a message in a line.
func shown(m *nats.Msg) string {
	to := strings.TrimPrefix(m.Subject, "groupcast.")
	if !strings.HasPrefix(to, "n.") {
		return to + ": " + string(m.Data)
	}
	c, bad := wire.ReadControl(m.Data)
	if bad != nil {
		return to + ": " + string(m.Data)
	}
	text := fmt.Sprintf("%s %s:", to, c.Type)
	switch {
	case c.Heartbeat != nil:
		h := c.Heartbeat
		text += fmt.Sprintf(" %d of %d, place %d, sent %d", h.Number, h.Connection, h.Place, h.Sent)
		if h.Sessions != 5 || h.Groups != 6 || h.Lag != 0 {
			text += fmt.Sprintf(" %+v", h)
		}
		if h.Leaving {
			text += ", leaving"
		}
	case c.Notice != nil:
		n := c.Notice
		text += fmt.Sprintf(" %d-%d nobody %v all %v", n.After, n.Upto, n.Nobody, n.All)
		slices.SortFunc(n.Lost, func(a, b wire.Entry) int {
			return cmp.Or(cmp.Compare(a.Order, b.Order), strings.Compare(groupsOfTests[a.Hash], groupsOfTests[b.Hash]))
		})
		for _, e := range n.Lost {
			text += fmt.Sprintf(" %s@%d", groupsOfTests[e.Hash], e.Order)
		}
	case c.Marker != nil:
		text += fmt.Sprintf(" %d", c.Marker.ID)
	case c.Marked != nil:
		text += fmt.Sprintf(" %d at %d", c.Marked.ID, c.Marked.Place)
		if c.Marked.Nobody > 0 {
			text += fmt.Sprintf(", nobody by %d", c.Marked.Nobody)
		}
	case c.Ranged != nil:
		text += fmt.Sprintf(" %d at %d all %v", c.Ranged.ID, c.Ranged.Place, c.Ranged.All)
		var names []string
		for _, hash := range c.Ranged.Hashes {
			names = append(names, groupsOfTests[hash])
		}
		slices.Sort(names)
		text += " " + strings.Join(names, " ")
	}
	return text
}

const beatOfTests = "n.all heartbeat: %d of %d, place %d, sent %d"

func beatText(number, connection, place, sent int) string {
	return fmt.Sprintf(beatOfTests, number, connection, place, sent)
}

// On a connection that comes back, what may be lost stands in front of what was kept, and that in front of what is
// published next. The heartbeats say how far all is known to have come.
func TestWriterComesBack(t *testing.T) {
	d := newDesk(t)
	d.comes()
	d.wants(beatText(0, 1, 0, 0), beatText(1, 1, 0, 0))
	d.published(1, "a")
	d.published(2, "b")
	d.published(3, "c d", "7")
	d.published(4, "b")
	d.beat(false)
	d.wants("g.a: 1", "g.b: 2", "m: 3", "g.b: 4", beatText(2, 1, 4, 4))
	if got := d.b.written.Load(); got != 4 {
		t.Errorf("written up to %d", got)
	}
	if got := <-d.b.told; got != (told{kind: toldArrived, number: 1}) {
		t.Errorf("told %+v", got)
	}
	d.b.samples.list[0] = sample{1, d.b.born.Add(sureAfter)}
	d.b.samples.list[1] = sample{1, d.b.born}
	d.connect()
	d.look() // leaves, and arrives
	if d.at != stageBack || d.b.joined.Load() {
		t.Fatalf("stage %d", d.at)
	}
	d.published(5, "e")
	d.published(6, "f")
	d.beat(false)
	d.wants(beatText(0, 2, 1, 4), beatText(0, 2, 1, 4))
	want := int64(2 * keptBytes(&message{Group: "e", Payload: []byte("5")}))
	if got, counted := d.b.buffered.Load(), d.kept.account.Bytes(); got != want || counted != want {
		t.Errorf("%d bytes are kept, %d count for the process, want %d", got, counted, want)
	}
	d.join(d.round - 1)
	if d.at != stageBack {
		t.Error("an earlier return has made it join")
	}
	d.join(d.round)
	d.published(7, "g")
	d.beat(false)
	d.wants(beatText(1, 2, 1, 4), "n.all notice: 1-4 nobody false all false c@3 d@3 b@4", "g.e: 5", "g.f: 6", "g.g: 7",
		beatText(2, 2, 7, 7))
	if d.b.buffered.Load() != 0 || d.kept.account.Bytes() != 0 {
		t.Error("something is kept still")
	}
	d.join(d.round)
	d.tellLost()
	d.wants() // all of that once
}

// What was in doubt when the connection broke once more before the others were told stays so.
func TestWriterBreaksTwice(t *testing.T) {
	d := newDesk(t)
	d.comes()
	d.published(1, "a")
	d.connect()
	d.look()
	d.connect()
	d.look()
	d.wants(beatText(0, 1, 0, 0), beatText(1, 1, 0, 0), "g.a: 1", beatText(0, 2, 0, 1), beatText(0, 3, 0, 1))
	d.blurred = true
	d.join(d.round)
	d.published(2, "b")
	d.wants(beatText(1, 3, 0, 1), "n.all notice: 0-1 nobody true all false a@1", "g.b: 2")
	d.b.samples.list[0] = sample{1, d.b.born.Add(sureAfter)}
	d.b.samples.list[1] = sample{1, d.b.born}
	d.connect()
	d.comes()
	d.wants(beatText(0, 4, 1, 2), beatText(1, 4, 1, 2), "n.all notice: 1-2 nobody false all false b@2")
	d.b.samples.list[1].place, d.b.samples.list[0].place = 9, 9 // more than was written by this writer
	d.connect()
	d.comes()
	d.wants(beatText(0, 5, 2, 2), beatText(1, 5, 2, 2))
}

func TestSpans(t *testing.T) {
	for _, c := range []struct{ a, b, want span }{
		{span{}, span{1, 3}, span{1, 3}},
		{span{1, 3}, span{}, span{1, 3}},
		{span{1, 3}, span{7, 7}, span{1, 3}},
		{span{4, 4}, span{1, 3}, span{1, 3}},
		{span{1, 3}, span{2, 5}, span{1, 5}},
		{span{2, 5}, span{1, 3}, span{1, 5}},
		{span{1, 5}, span{2, 3}, span{1, 5}},
	} {
		if got := c.a.with(c.b); got != c.want {
			t.Errorf("%v with %v: %v", c.a, c.b, got)
		}
	}
}

// The last messages are remembered, and of those in front of them any group may have had one.
func TestWriterRemembersTheLast(t *testing.T) {
	d := newDesk(t)
	d.comes()
	d.ring.Add(wire.Hash("a"), 1)
	for range ringSlots {
		d.ring.Add(wire.Hash("b"), 2)
	}
	d.last = 2
	d.connect()
	d.comes()
	d.wants(beatText(0, 1, 0, 0), beatText(1, 1, 0, 0), beatText(0, 2, 0, 0), beatText(1, 2, 0, 0),
		"n.all notice: 0-2 nobody false all true")
	if got := d.b.count.Notices.Load(); got != 1 {
		t.Errorf("%d notices", got)
	}
}

// What the sink has dropped is told of at once, or when the bus is back.
func TestWriterTellsOfWhatTheSinkDropped(t *testing.T) {
	d := newDesk(t)
	d.comes()
	d.published(4, "a")
	d.take(parcel{missed: []string{"a", "b"}})
	d.take(parcel{missedAll: true})
	d.wants(beatText(0, 1, 0, 0), beatText(1, 1, 0, 0), "g.a: 4", "n.all notice: 0-0 nobody true all false a@4 b@4",
		"n.all notice: 0-0 nobody true all true")
	d.tellLost()
	d.wants() // once
	d.connect()
	d.leave()
	d.take(parcel{missed: []string{"c"}})
	d.take(parcel{missedAll: true})
	d.take(parcel{missed: []string{"d"}})
	d.unsure = span{}
	d.comes()
	d.wants(beatText(0, 2, 4, 1), beatText(1, 2, 4, 1), "n.all notice: 0-0 nobody true all true")
}

// A node that did not hear of messages that nobody got asks for them by the notice's place.
func TestWriterIsAskedForWhatNobodyGot(t *testing.T) {
	d := newDesk(t)
	d.comes()
	d.published(4, "a")
	d.take(parcel{missed: []string{"b", "c"}})
	d.published(9, "d")
	d.take(parcel{missed: []string{"e"}})
	d.wants(beatText(0, 1, 0, 0), beatText(1, 1, 0, 0), "g.a: 4", "n.all notice: 0-0 nobody true all false b@4 c@4",
		"g.d: 9", "n.all notice: 0-0 nobody true all false e@9")
	ask := func(after, upto uint64) {
		d.request(request{subject: "groupcast.n.x", span: &wire.Range{ID: 3, After: after, Upto: upto}})
	}
	d.request(request{subject: "groupcast.n.x", marker: 7})
	ask(4, 10)
	ask(9, 10)
	ask(10, 11)
	d.wants("n.x marked: 7 at 9, nobody by 10", "n.x ranged: 3 at 9 all false b c d e", "n.x ranged: 3 at 9 all false e",
		"n.x ranged: 3 at 9 all false ")
	d.take(parcel{missedAll: true})
	d.published(20, "f")
	ask(9, 20)
	ask(10, 20)
	d.request(request{subject: "groupcast.n.x", marker: 8})
	d.wants("n.all notice: 0-0 nobody true all true", "g.f: 20", "n.x ranged: 3 at 20 all true ",
		"n.x ranged: 3 at 20 all false f", "n.x marked: 8 at 20, nobody by 10")
}

// More groups than are told apart are all of them.
func TestNeverIsBounded(t *testing.T) {
	var n never
	for i := range uint64(maxNever) {
		n.add(i, 1)
	}
	n.add(7, 2) // it is there
	if n.all || len(n.groups) != maxNever || n.groups[7] != 2 {
		t.Fatalf("%d groups, all %v", len(n.groups), n.all)
	}
	n.add(maxNever, 3)
	if !n.all || n.groups != nil || n.empty() {
		t.Errorf("%d groups, all %v", len(n.groups), n.all)
	}
	n.add(1, 4)
	if len(n.entries()) != 0 {
		t.Error("one group beside all")
	}
}

// What is lost by each setting, and counted by which.
func TestWriterWhileAway(t *testing.T) {
	size := keptBytes(&message{Group: "a", Payload: []byte("1")})
	for _, c := range []struct {
		down       Down
		bytes      int
		lost, full uint64
		want       []string // behind the notice and its beginning
	}{
		{DownBuffer, 2 * size, 2, 2, []string{" c@3 e@5", "g.a: 1", "g.b: 2"}},
		{DownBuffer, 2*size - 1, 3, 3, []string{" b@2 c@3 e@5", "g.a: 1"}},
		{DownLocal, 1 << 20, 3, 0, []string{" a@1 b@2 c@3", "m: 5"}},
	} {
		d := newDesk(t, func(o *Options) { o.Down, o.BufferBytes = c.down, c.bytes })
		d.published(1, "a")
		d.published(2, "b")
		d.published(3, "c")
		d.take(parcel{message: &message{Group: "d", Joint: true, Payload: []byte("5"), Order: 4}})
		if c.down == DownLocal {
			d.look() // it is there, and has not joined: what is published now is kept
		}
		d.published(5, "e", "7")
		d.comes()
		c.want[0] = "n.all notice: 0-0 nobody true all false" + c.want[0]
		d.wants(append([]string{beatText(0, 1, 0, 0), beatText(1, 1, 0, 0)}, c.want...)...)
		if lost, full := d.b.count.Lost.Load(), d.b.count.BufferFull.Load(); lost != c.lost || full != c.full {
			t.Errorf("%v, %d bytes: %d lost, %d found no room", c.down, c.bytes, lost, full)
		}
	}
}

// While the bus is away --nats-down refuse refuses, and nothing else does.
func TestWriterRefuses(t *testing.T) {
	for down, refuses := range map[Down]bool{DownRefuse: true, DownBuffer: false, DownLocal: false} {
		d := newDesk(t, func(o *Options) { o.Down = down })
		refused := func() bool {
			err := d.b.engine.Submit(t.Context(), loop.Publication{Groups: []string{"a"}, IsText: true})
			if err != nil && !errors.Is(err, loop.ErrRefused) {
				t.Fatal(err)
			}
			return err != nil
		}
		d.comes()
		if refused() || !d.b.joined.Load() {
			t.Errorf("%v: refused while the bus is there", down)
		}
		d.connect()
		d.leave()
		if refused() != refuses || d.b.joined.Load() {
			t.Errorf("%v: refused %v while the bus is away", down, !refuses)
		}
		d.look()
		if refused() != refuses || d.b.joined.Load() {
			t.Errorf("%v: refused %v before it has joined", down, !refuses)
		}
		d.join(d.round)
		if refused() || !d.b.joined.Load() {
			t.Errorf("%v: refused when the bus is back", down)
		}
	}
}

// A connection that has ended, or is another one by now, gets no message: it is kept, and goes out by the next one.
func TestWriterNoticesTheEnd(t *testing.T) {
	for how, end := range map[string]func(*desk){
		"closed":  func(d *desk) { d.b.conn.Load().Close() },
		"another": func(d *desk) { d.b.dials.Add(1) },
	} {
		d := newDesk(t)
		d.comes()
		d.wants(beatText(0, 1, 0, 0), beatText(1, 1, 0, 0))
		end(d)
		d.published(2, "b")
		if d.at != stageAway || d.kept.len() != 1 || d.last != 0 {
			t.Errorf("%s: stage %d, %d kept, place %d", how, d.at, d.kept.len(), d.last)
		}
		d.connect()
		d.comes()
		d.wants(beatText(0, 2, 0, 0), beatText(1, 2, 0, 0), "g.b: 2")
	}
}

// The writer is out of the cluster while the name is another node's.
func TestWriterHasNoName(t *testing.T) {
	d := newDesk(t)
	d.comes()
	d.b.named.Store(false)
	d.look()
	if d.at != stageAway {
		t.Fatalf("stage %d", d.at)
	}
	d.published(1, "a")
	d.look()
	d.beat(false)
	d.wants(beatText(0, 1, 0, 0), beatText(1, 1, 0, 0))
	d.b.named.Store(true)
	d.b.connected.Store(false)
	d.look()
	d.wants()
	d.b.connected.Store(true)
	d.comes()
	d.wants(beatText(0, 2, 0, 0), beatText(1, 2, 0, 0), "g.a: 1")
}

// What is too large for NATS, or has a name without a subject, is told of as lost and stops nothing.
func TestWriterCannotWrite(t *testing.T) {
	d := newDesk(t)
	d.comes()
	d.wants(beatText(0, 1, 0, 0), beatText(1, 1, 0, 0))
	large := make([]byte, d.b.conn.Load().MaxPayload()+1)
	d.take(parcel{message: &message{Group: "a", Payload: large, IsText: true, Order: 1}})
	d.take(parcel{message: &message{Group: strings.Repeat("x", subject.MaxNameBytes+1), IsText: true, Order: 2}})
	d.published(3, "b")
	d.tellLost()
	d.wants("g.b: 3", "n.all notice: 0-0 nobody true all false a@1 @2")
	if got := d.b.count.TooLarge.Load(); got != 2 || d.b.count.Out.Load() != 1 || d.b.count.BytesOut.Load() != 1 {
		t.Errorf("%d cannot cross, %d have", got, d.b.count.Out.Load())
	}
}

// A drain ends with a heartbeat that says so, behind all that the sink had.
func TestWriterDrains(t *testing.T) {
	ended := func(d *desk) bool {
		select {
		case <-d.b.drained:
			return true
		default:
			return false
		}
	}
	d := newDesk(t)
	d.look()
	d.leave()
	d.round = 0
	d.look()
	d.published(1, "a")
	if ended(d) {
		t.Error("it has ended, and nobody has asked for that")
	}
	d.take(parcel{drained: true})
	if ended(d) {
		t.Error("it has ended, and something is kept")
	}
	d.join(d.round)
	if !ended(d) {
		t.Error("it has not ended")
	}
	d.endDrain()
	d.b.want(request{beat: true})
	d.request(<-d.b.requests)
	d.wants(beatText(0, 1, 0, 0), beatText(0, 1, 0, 0), beatText(1, 1, 0, 0), "g.a: 1",
		beatText(2, 1, 1, 1)+", leaving", beatText(3, 1, 1, 1)+", leaving")

	d = newDesk(t) // what could not cross is told in front
	d.comes()
	d.wants(beatText(0, 1, 0, 0), beatText(1, 1, 0, 0))
	d.take(parcel{message: &message{Group: "a", Payload: make([]byte, 2<<20), IsText: true, Order: 1}})
	d.take(parcel{drained: true})
	d.wants("n.all notice: 0-0 nobody true all false a@1", beatText(2, 1, 0, 0)+", leaving")

	d = newDesk(t) // the bus is away
	d.published(1, "a")
	d.published(2, "b")
	d.take(parcel{drained: true})
	if !ended(d) || d.b.count.Lost.Load() != 2 {
		t.Errorf("ended %v, %d lost", ended(d), d.b.count.Lost.Load())
	}

	d = newDesk(t) // it goes while something is kept
	d.look()
	d.published(1, "a")
	d.take(parcel{drained: true})
	d.connect()
	d.leave()
	if !ended(d) || d.b.count.Lost.Load() != 1 {
		t.Errorf("ended %v, %d lost", ended(d), d.b.count.Lost.Load())
	}
}

// What others ask is answered by what was written before, and what this node publishes first when it is back.
func TestWriterAnswers(t *testing.T) {
	d := newDesk(t)
	ask := func() {
		d.b.want(request{subject: "groupcast.n.b", marker: 7})
		d.b.want(request{subject: "groupcast.n.b", span: &wire.Range{ID: 8, After: 1, Upto: 3}})
		d.b.want(request{subject: "groupcast.n.b", span: &wire.Range{ID: 9, After: 0, Upto: 1}})
		d.b.want(request{subject: "groupcast.n.b", control: wire.Control{Marker: &wire.Marker{ID: 10}}})
		d.b.want(request{subject: "groupcast.n.b", data: []byte("as it is")})
	}
	answers := func(place int) []string {
		return []string{
			fmt.Sprintf("n.b marked: 7 at %d", place), fmt.Sprintf("n.b ranged: 8 at %d all false b c", place),
			fmt.Sprintf("n.b ranged: 9 at %d all false a", place), "n.b marker: 10", "n.b: as it is",
		}
	}
	d.comes()
	d.published(1, "a")
	d.published(2, "b")
	d.published(3, "c")
	ask()
	for len(d.b.requests) > 0 {
		d.request(<-d.b.requests)
	}
	d.wants(slices.Concat([]string{beatText(0, 1, 0, 0), beatText(1, 1, 0, 0), "g.a: 1", "g.b: 2", "g.c: 3"},
		answers(3))...)
	d.connect()
	d.look()
	d.published(4, "d")
	ask()
	d.unsure = span{}
	d.join(d.round)
	d.wants(slices.Concat([]string{beatText(0, 2, 0, 3)}, answers(3), []string{beatText(1, 2, 3, 3), "g.d: 4"})...)
	d.ring = sent.NewRing(1)
	d.ring.Add(1, 1)
	d.ring.Add(2, 2)
	d.request(request{subject: "groupcast.n.b", span: &wire.Range{ID: 8, After: 0, Upto: 2}})
	d.wants("n.b ranged: 8 at 4 all true ")
}

// Outside the cluster only what has to be said there is, and a channel that is full drops what is wanted.
func TestWriterIsAskedWhileAway(t *testing.T) {
	d := newDesk(t)
	d.request(request{subject: "groupcast.n.b", marker: 7})
	d.request(request{subject: "groupcast.n.b", control: wire.Control{Marker: &wire.Marker{ID: 10}}})
	d.request(request{beat: true, early: true})
	d.wants()
	d.request(request{subject: "groupcast.n.b", early: true, control: wire.Control{Marker: &wire.Marker{ID: 10}}})
	d.wants("n.b marker: 10")
	d.b.connected.Store(false)
	d.request(request{subject: "groupcast.n.b", early: true, control: wire.Control{Marker: &wire.Marker{ID: 10}}})
	d.wants()
	for range maxRequests + 3 {
		d.b.want(request{})
	}
	if got := d.b.count.RequestsDropped.Load(); got != 3 || len(d.b.requests) != maxRequests {
		t.Errorf("%d dropped, %d wait", got, len(d.b.requests))
	}
}

// What could not be told, or sent, stays to be: the connection has ended meanwhile.
func TestWriterTellsByTheNextConnection(t *testing.T) {
	d := newDesk(t)
	d.comes()
	d.published(1, "a")
	d.wants(beatText(0, 1, 0, 0), beatText(1, 1, 0, 0), "g.a: 1")
	d.b.samples.list[0] = sample{1, d.b.born.Add(sureAfter)}
	d.b.samples.list[1] = sample{1, d.b.born}
	d.b.conn.Load().Close()
	d.take(parcel{missed: []string{"b"}})
	if d.at != stageAway {
		t.Fatalf("stage %d: it does not notice that nothing was told", d.at)
	}
	d.connect()
	d.comes()
	d.wants(beatText(0, 2, 1, 1), beatText(1, 2, 1, 1), "n.all notice: 0-0 nobody true all false b@1")

	d.published(2, "c") // and this is in doubt
	d.connect()
	d.look()
	d.b.conn.Load().Close()
	d.join(d.round)
	if d.at != stageAway || d.b.joined.Load() {
		t.Fatalf("stage %d: it does not notice that nothing was told", d.at)
	}
	d.connect()
	d.comes()
	d.wants("g.c: 2", beatText(0, 3, 1, 2), beatText(0, 4, 1, 2), beatText(1, 4, 1, 2),
		"n.all notice: 1-2 nobody false all false c@2")

	d.leave() // and this is kept
	d.unsure = span{}
	d.look()
	d.published(3, "d")
	d.published(4, "e")
	d.b.dials.Add(1)
	d.join(d.round)
	if d.at != stageAway || d.kept.len() != 2 {
		t.Fatalf("stage %d, %d kept", d.at, d.kept.len())
	}
	d.connect()
	d.comes()
	d.wants(beatText(0, 5, 2, 2), beatText(1, 5, 2, 2), beatText(0, 6, 1, 2), beatText(1, 6, 1, 2),
		"n.all notice: 1-2 nobody false all false c@2", "g.d: 3", "g.e: 4")
}

// A call of the connection that fails ends it: nobody knows what stood in its buffer.
func TestWriterEndsAConnectionThatFails(t *testing.T) {
	for what, fails := range map[string]func(*desk){
		"a message":         func(d *desk) { d.b.subjects.many = ""; d.published(1, "a", "7") },
		"a control":         func(d *desk) { d.request(request{control: wire.Control{Marker: &wire.Marker{ID: 1}}}) },
		"an answer":         func(d *desk) { d.request(request{data: []byte("x")}) },
		"the wildcard":      func(d *desk) { d.b.subjects.groups = ""; d.subscribe(interest.Batch{WildcardOn: true}) },
		"its own subject":   func(d *desk) { d.b.subjects.own = ""; d.connect(); d.look() },
		"all nodes' marker": func(d *desk) { d.b.subjects.all = ""; d.subscribe(interest.Batch{Marker: 1}) },
	} {
		d := newDesk(t)
		d.comes()
		fails(d)
		conn := d.b.conn.Load()
		eventually(t, what+" ends it", func() bool { return conn.IsClosed() || conn.Stats().Reconnects > 0 })
		if got := d.b.count.Errors[slices.Index(Reasons[:], ReasonOther)].Load(); got != 1 {
			t.Errorf("%s: %d errors", what, got)
		}
		if closes := what == "the wildcard" || what == "its own subject"; conn.IsClosed() != closes {
			t.Errorf("%s: closed %v", what, !closes)
		}
	}
}

// A message of which it is not known whether it was written is not written again: the others are told.
func TestWriterWritesNothingTwice(t *testing.T) {
	d := newDesk(t)
	d.comes()
	many := d.b.subjects.many
	d.b.subjects.many = "" // then nats.go has an error
	d.published(1, "a", "7")
	d.b.subjects.many = many
	if d.at != stageAway || !d.kept.empty() {
		t.Errorf("stage %d, %d kept", d.at, d.kept.len())
	}
	d.connect()
	d.look()
	d.published(2, "b", "7")
	d.b.subjects.many = ""
	d.join(d.round) // it was kept, and is in doubt as well
	d.b.subjects.many = many
	if d.at != stageAway || !d.kept.empty() {
		t.Errorf("stage %d, %d kept", d.at, d.kept.len())
	}
	d.connect()
	d.comes()
	// What a connection had that was given up may come late, or not at all.
	const last = "n.all notice: 0-2 nobody false all false a@1 b@2"
	for text := ""; text != last; {
		m, err := d.seen.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		if text = shown(m); strings.HasPrefix(text, "m:") {
			t.Errorf("written again: %s", text)
		}
	}
}

// Where a connection has come while a message was written, that message may be on it, and what the others have seen
// since says nothing of those in front of it.
func TestWriterIsOvertaken(t *testing.T) {
	d := newDesk(t)
	d.comes()
	d.wants(beatText(0, 1, 0, 0), beatText(1, 1, 0, 0))
	d.remember(&message{Group: "a", Order: 1})
	d.b.dials.Add(1)
	d.remember(&message{Group: "b", Order: 2})
	d.comes()
	d.wants(beatText(0, 2, 0, 0), beatText(1, 2, 0, 0), "n.all notice: 0-2 nobody true all false a@1 b@2")
	d.remember(&message{Group: "c", Order: 3})
	d.connect()
	d.comes()
	d.wants(beatText(0, 3, 0, 0), beatText(1, 3, 0, 0), "n.all notice: 0-3 nobody false all false a@1 b@2 c@3")
}

// A heartbeat has all that an operator sees of this node at the others.
func TestHeartbeat(t *testing.T) {
	d := newDesk(t)
	load := d.b.info.Load
	d.b.info = Info{Program: "v1", Host: "host", PID: 7, Joined: true, Load: load}
	d.b.generation.Store(9)
	d.b.waiting.Store(1)
	d.look()
	m, err := d.seen.NextMsg(patience)
	if err != nil {
		t.Fatal(err)
	}
	c, bad := wire.ReadControl(m.Data)
	if bad != nil || c.Heartbeat == nil {
		t.Fatalf("%s: %v", m.Data, bad)
	}
	h := c.Heartbeat
	if h.Lag <= 0 {
		t.Errorf("lag %v", h.Lag)
	}
	h.Lag = 0
	if want := (wire.Heartbeat{
		Generation: 9, Program: "v1", Reads: []int{wire.Version}, Host: "host", PID: 7, Sessions: 5, Groups: 6,
		Joined: true, Connection: 1,
	}); !reflect.DeepEqual(*h, want) || c.Node != "web-1" || c.Epoch != 1 {
		t.Errorf("got %+v, want %+v", *h, want)
	}
}
