package bus

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"groupcast/loop"
	"groupcast/loop/ration"
	"groupcast/protocol/subject"
	"groupcast/server/bus/interest"
	"groupcast/server/bus/wire"
)

// alone is the reader of a node "a" that has no connection to NATS, and no goroutine but that of its interest: what
// happens to it, and when, a test says. Its engine has members in the groups g, h and quiet.
type alone struct {
	*reader

	t   testing.TB
	now time.Time
	// published is what the broker has ordered.
	published *loop.Sink
	gaps      chan []string
}

// someMembers are the groups that have members, as the interest is told.
type someMembers struct {
	groups chan []string
}

func (m someMembers) Next(ctx context.Context) (u loop.MembersUpdate, err error) {
	select {
	case groups := <-m.groups:
		for _, name := range groups {
			var c loop.MemberChange
			c.Group, c.Joined = name, true
			u.Changes = append(u.Changes, c)
		}
		return u, nil
	case <-ctx.Done():
		return u, ctx.Err()
	}
}

// gapLoops keep what members are told of.
type gapLoops struct {
	gaps chan []string
}

func (gapLoops) SetCoverage(interest.Coverage) {}

func (gapLoops) Cover([]string) error { return nil }

func (gapLoops) Uncover(context.Context, []string) ([]string, error) { return nil, nil }

func (l gapLoops) Gap(_ context.Context, groups []string) error {
	l.gaps <- slices.Sorted(slices.Values(groups))
	return nil
}

// allOf are the groups of members in an alone.
var allOf = []string{"g", "h", "quiet"}

func newAlone(t testing.TB) *alone {
	t.Helper()
	o := DefaultOptions()
	o.Node, o.Logger = "a", slog.New(slog.DiscardHandler)
	eo := loop.DefaultOptions()
	eo.Loops, eo.Logger = 1, o.Logger
	engine, err := loop.New(eo)
	if err != nil {
		t.Fatal(err)
	}
	prefix, err := subject.ParsePrefix(o.Prefix)
	if err != nil {
		t.Fatal(err)
	}
	members, gaps := someMembers{make(chan []string, 1)}, gapLoops{make(chan []string, 64)}
	members.groups <- allOf
	i, err := interest.New(gaps, members, interest.DefaultOptions(1))
	if err != nil {
		t.Fatal(err)
	}
	b := &Bus{
		opt: o, engine: engine, epoch: uint64(engine.Epoch()), subjects: subjectsOf(prefix, o.Node),
		log: o.Logger, ration: ration.New(o.Logger), interest: i,
		in: make(chan *nats.Msg, o.Inbound), requests: make(chan request, maxRequests), told: make(chan told, 16),
		healed: make(chan uint64, 1), waiters: make(chan waiter, maxWaiters), newcomer: make(chan struct{}, 1),
		wantName: make(chan struct{}, 1), turns: make(chan struct{}, 1), born: time.Now(),
	}
	b.nodes.Store(new([]Node))
	b.stop, b.cancel = context.WithCancel(context.Background())
	b.sink = engine.NewSink(loop.SinkOptions{Name: "nats", MaxMessages: 1024, MaxBytes: 1 << 20, SkipOwn: true})
	published := engine.NewSink(loop.SinkOptions{Name: "test", MaxMessages: 1 << 16, MaxBytes: 1 << 24, Users: true})
	var running sync.WaitGroup
	running.Go(func() { _ = i.Run(b.stop) })
	t.Cleanup(func() {
		b.cancel()
		running.Wait()
		b.running.Wait()
		b.sink.Close()
		published.Close()
		_ = engine.Close()
	})
	eventually(t, "members are known", func() bool { return i.Stats().Groups == len(allOf) })
	return &alone{reader: newReader(b), t: t, now: time.Now(), published: published, gaps: gaps.gaps}
}

// pass lets time go by, and the reader look at it.
func (r *alone) pass(d time.Duration) {
	r.now = r.now.Add(d)
	r.tick(r.now)
}

// connects is a connection that has come, and that the writer can use.
func (r *alone) connects() {
	r.t.Helper()
	r.b.dials.Add(1)
	r.follow()
	r.hear(told{kind: toldArrived, number: r.b.dials.Load()})
	r.now = r.backSince // by the reader's own clock
}

// breaks is its end.
func (r *alone) breaks() {
	r.b.dials.Add(1)
	r.follow()
}

// says is what a node says, to all or to this one.
func (r *alone) says(node string, epoch uint64, c wire.Control) {
	r.t.Helper()
	c.Node, c.Epoch, c.Version = node, epoch, wire.Version
	data, err := c.Append(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	r.come(r.b.subjects.all, &nats.Msg{Subject: r.b.subjects.all, Data: data})
}

// come is a message that has come by a subscription.
func (r *alone) come(subscription string, m *nats.Msg) {
	m.Sub = &nats.Subscription{Subject: subscription}
	r.take(m)
}

// beats is a heartbeat of b in its first life, at a time of the test's.
func (r *alone) beats(h wire.Heartbeat) {
	r.beat(&wire.Control{Node: "b", Epoch: 1, Heartbeat: &h}, r.now)
}

// beatsAs is b's heartbeat of that number, on its first connection.
func (r *alone) beatsAs(n, place uint64) {
	r.beats(wire.Heartbeat{Place: place, Connection: 1, Number: n})
}

// sends is a message of b's to the group g, with its place.
func (r *alone) sends(order uint64) { r.sendsAs("b", 1, order, "g") }

func (r *alone) sendsAs(node string, epoch, order uint64, group string) {
	r.t.Helper()
	at := wire.Place{Node: node, Epoch: epoch, Order: order}
	m := wire.Message{Payload: []byte{'0' + byte(order%10)}, IsText: true, Origin: at}
	text, err := r.b.subjects.of(subject.KindGroup, group)
	if err != nil {
		r.t.Fatal(err)
	}
	r.come(text, &nats.Msg{Subject: text, Data: m.Payload, Header: m.Header()})
}

// in has the message wait for the reader.
func (r *alone) in(group string, m wire.Message) {
	r.t.Helper()
	text, err := r.b.subjects.of(subject.KindGroup, group)
	if err != nil {
		r.t.Fatal(err)
	}
	r.b.in <- &nats.Msg{
		Subject: text, Data: m.Payload, Header: m.Header(), Sub: &nats.Subscription{Subject: text},
	}
}

// wanted takes what the reader wants published.
func (r *alone) wanted() (all []request) {
	for {
		select {
		case q := <-r.b.requests:
			all = append(all, q)
		default:
			return all
		}
	}
}

// marks takes the markers that the reader has asked the others for.
func (r *alone) marks() (ids []uint64) {
	for _, q := range r.wanted() {
		if m := q.control.Marker; m != nil && q.subject == r.b.subjects.all {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// synced has b answer the reader's own marker, and returns what it is asked then; nil for nothing.
func (r *alone) synced(place uint64) *wire.Range {
	r.t.Helper()
	ids := r.marks()
	if len(ids) == 0 {
		r.t.Fatal("nobody is asked how far it has come")
	}
	return r.answersMarker(ids[len(ids)-1], place)
}

// answersMarker has b answer that marker.
func (r *alone) answersMarker(id, place uint64) (asked *wire.Range) {
	r.t.Helper()
	r.says("b", 1, wire.Control{Marked: &wire.Marked{ID: id, Place: place}})
	for _, q := range r.wanted() {
		if q.control.Range != nil && q.subject == r.b.subjects.node+"b" {
			asked = q.control.Range
		}
	}
	return asked
}

// ranges is b's answer to a question.
func (r *alone) ranges(a wire.Ranged) {
	r.t.Helper()
	r.says("b", 1, wire.Control{Ranged: &a})
}

// losses is how many times members were to be told, by cause.
func (r *alone) losses() map[cause]uint64 {
	all := map[cause]uint64{}
	for why := range causeCount {
		if n := r.b.count.LostGroups[why].Load(); n > 0 {
			all[why] = n
		}
	}
	return all
}

// areTold wants members of these groups to be told, once in all and for that cause, and nobody before.
func (r *alone) areTold(why cause, groups ...string) {
	r.t.Helper()
	if got := r.losses(); len(got) != 1 || got[why] != 1 {
		r.t.Fatalf("losses %v, want one of cause %v", got, why)
	}
	r.b.count.LostGroups[why].Store(0)
	select {
	case got := <-r.gaps:
		if !slices.Equal(got, groups) {
			r.t.Errorf("members of %q are told, want %q", got, groups)
		}
	case <-time.After(patience):
		r.t.Fatalf("members of %q are not told", groups)
	}
}

// toldNobody wants no members to be told.
func (r *alone) toldNobody() {
	r.t.Helper()
	if got := r.losses(); len(got) > 0 {
		r.t.Fatalf("members are told of losses: %v", got)
	}
}

// doubtful reports whether it is not known what was missed of b.
func (r *alone) doubtful() bool {
	p := r.peers["b"]
	return p != nil && p.doubt
}

// others publishes what is known of the nodes, and returns it by name.
func (r *alone) others() map[string]Node {
	r.publishNodes()
	all := map[string]Node{}
	for _, n := range *r.b.nodes.Load() {
		all[n.Name] = n
	}
	return all
}

// next is the next message that the broker has ordered.
func (r *alone) next() loop.SinkMessage {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	m, err := r.published.Next(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// came wants messages with these payloads to have been published, and no other before them: an end is published
// behind, by which that is seen.
func (r *alone) came(texts ...string) {
	r.t.Helper()
	if err := r.b.engine.Submit(r.t.Context(), loop.Publication{
		Groups: []string{"end"}, Payload: []byte("end"), IsText: true,
	}); err != nil {
		r.t.Fatal(err)
	}
	var got []string
	for m := r.next(); m.Group != "end"; m = r.next() {
		got = append(got, string(m.Payload))
	}
	if !slices.Equal(got, texts) {
		r.t.Errorf("published %q, want %q", got, texts)
	}
}

// known is an alone that is connected, and knows b, which has published ten messages.
func known(t testing.TB) *alone {
	t.Helper()
	r := newAlone(t)
	r.connects()
	r.beatsAs(1, 0)
	r.pass(0)
	r.sends(10)
	r.came("0")
	r.wanted()
	return r
}
