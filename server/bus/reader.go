package bus

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"groupcast/loop"
	"groupcast/loop/budget"
	"groupcast/protocol/subject"
	"groupcast/server/bus/wire"
)

// reader takes all that NATS brings, in the order in which it comes: messages for members here, and control
// messages of nodes. It knows the other nodes, and which messages of theirs may have been missed.
//
// Owner: its goroutine.
type reader struct {
	b     *Bus
	dials uint64 // of the connection that messages are of
	// back is set from when the writer could use the connection.
	back      bool
	backSince time.Time
	round     uint64 // of the writer's returns; answered once the others are back
	marker    pending
	sync      pending
	syncs     uint64
	// syncAsked is when others were asked how far they have come.
	syncAsked time.Time
	asked     uint64 // questions about spans so far
	peers     map[string]*peer
	// foreign are the groups that had a message of a publisher that is no node, since they have members.
	foreign    map[string]struct{}
	allForeign bool
	doubles    doubles
	waiting    waiting
	caught     caughtUp
	drops      drops
	full       bool // no node is gone that could make room for another
	greet      bool // a node has come that may not know this one
}

// told is what the writer and the confirmer tell the reader.
type told struct {
	kind     toldKind
	number   uint64
	switched uint64 // the change that has ended
	failed   bool
}

type toldKind int

const (
	toldArrived toldKind = iota // the connection can be used: return number
	toldMarker                  // marker number is about to be published
	toldFlushed                 // the server has all up to marker number, or has not answered
)

func newReader(b *Bus) *reader {
	return &reader{
		b: b, peers: make(map[string]*peer), foreign: make(map[string]struct{}),
		waiting: waiting{account: b.opt.Budget.Account(budget.Bus)},
	}
}

// lookEvery is how often the reader looks at what takes time.
const lookEvery = 100 * time.Millisecond

func (r *reader) run() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case m := <-r.b.in:
			r.look() // told came before it
			r.take(m)
			r.caught.took()
			r.drops.took()
		case t := <-r.b.told:
			r.follow()
			r.hear(t)
		case now := <-ticker.C:
			r.look()
			r.tick(now)
		case <-r.b.stop.Done():
			return
		}
	}
}

// look takes notice of another connection, of messages that were dropped behind those that wait, and of told.
func (r *reader) look() {
	if r.b.overflow.Load() && r.b.overflow.Swap(false) {
		r.drops.note(time.Now())
	}
	if r.drops.due(r.b.opt.Inbound) {
		r.overflowed()
	}
	for {
		r.follow()
		select {
		case t := <-r.b.told:
			r.hear(t)
		default:
			return
		}
	}
}

// follow notices that the connection has ended. What came before is still of it; some of that
// may be in front of the reader, and is then taken for missed although it comes.
func (r *reader) follow() {
	dials := r.b.dials.Load()
	if dials == r.dials {
		return
	}
	r.dials = dials
	if !r.back {
		return
	}
	r.back = false
	r.marker, r.sync = pending{}, pending{}
	for _, p := range r.peers {
		p.doubtsOwn(causeAway)
	}
}

func (r *reader) hear(t told) {
	switch t.kind {
	case toldArrived:
		r.arrived(t.number)
	case toldMarker:
		r.marker = r.pend(t.number, r.b.opt.JoinWait, false)
	case toldFlushed:
		if t.switched != 0 && t.switched == r.b.switching.Load() {
			r.doubles.endBehind(len(r.b.in) + 1) // and what the reader has in its hand
		}
		if t.number != 0 && t.number == r.marker.number {
			if r.marker.flushed = true; t.failed {
				r.marked(false)
				return
			}
			r.lookAtMarker()
		}
	}
}

// take looks at one message.
func (r *reader) take(m *nats.Msg) {
	r.b.count.In.Add(1)
	r.waiting.note(len(m.Data))
	r.b.count.BytesIn.Add(uint64(len(m.Data)))
	if change := r.b.switching.Load(); change != 0 && r.isDouble(m, change) {
		return
	}
	// nats.go gives a message with headers that it cannot read as one that has none.
	if m.Header == nil && m.Size() > len(m.Subject)+len(m.Reply)+len(m.Data) {
		r.ignore(m, &wire.Bad{
			Reason: wire.ReasonHeader, Err: "headers: want NATS/1.0 and lines of KEY: VALUE: got something else",
		})
		return
	}
	switch {
	case m.Subject == r.b.subjects.all, m.Subject == r.b.subjects.own:
		r.control(m)
		return
	case m.Subject == r.b.subjects.many:
		r.message(m, true, loop.Publication{})
		return
	}
	kind, token, ok := subject.Cut(r.b.subjects.prefix, m.Subject)
	var name []byte
	var err error
	if ok {
		name, err = subject.AppendName(nil, token)
	}
	switch {
	case !ok:
		r.ignore(m, &wire.Bad{Reason: wire.ReasonSubject, Err: "the subject has no name behind its kind"})
	case err != nil:
		r.ignore(m, &wire.Bad{Reason: wire.ReasonToken, Err: err.Error()})
	case kind == subject.KindUser:
		r.message(m, false, loop.Publication{Users: []string{string(name)}})
	default:
		r.message(m, false, loop.Publication{Groups: []string{string(name)}})
	}
}

// message publishes a message here; to is whom its subject names.
func (r *reader) message(m *nats.Msg, many bool, to loop.Publication) {
	msg, bad := wire.Read(m.Header, m.Data, many, r.b.engine.MaxMessageBytes())
	if bad != nil && bad.Reason != wire.ReasonTooLarge {
		r.ignore(m, bad)
		return
	}
	if many {
		to.Groups, to.Users = msg.Groups, msg.Users
	}
	ofNode := msg.Origin.Node != ""
	if ofNode && !r.place(msg.Origin) {
		return
	}
	if bad != nil {
		r.tooLarge(m, bad, ofNode, to.Groups)
		return
	}
	if !many && len(to.Groups) == 1 && m.Sub.Subject == r.b.subjects.groups && !r.b.wanted(to.Groups[0]) {
		r.b.count.Unwanted.Add(1)
		r.replyLate(m)
		return
	}
	if !ofNode {
		r.noteForeign(to.Groups)
	}
	to.Payload, to.IsText, to.From = msg.Payload, msg.IsText, r.b.sink
	for _, text := range msg.Exclude {
		if id, ok := r.b.ownSession(text); ok {
			to.Exclude = append(to.Exclude, id)
		}
	}
	if err := r.submit(m, to); err != nil {
		r.unpublished(m, to, ofNode, err)
	}
}

// submitWait is how long a message of the bus waits for room in the broker's door.
const submitWait = 2 * time.Second

// ended is a context that has ended: what takes it does not wait.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// submit hands a publication to the broker, whose error is the engine's.
func (r *reader) submit(m *nats.Msg, p loop.Publication) error {
	if r.mayAnswer(m) {
		return r.submitAsked(m, p)
	}
	err := r.b.engine.Submit(ended, p)
	if errors.Is(err, loop.ErrOverloaded) && !errors.Is(err, loop.ErrNoMemory) {
		ctx, cancel := context.WithTimeout(r.b.stop, submitWait)
		err = r.b.engine.Submit(ctx, p)
		cancel()
	}
	return err
}

// mayAnswer reports whether an answer to m is wanted. None goes to a subject of the cluster: there only
// nodes may publish, and it would be their word for a stranger's.
func (r *reader) mayAnswer(m *nats.Msg) bool {
	return m.Reply != "" && !strings.HasPrefix(m.Reply, r.b.subjects.prefix.String()+".")
}

// unpublished deals with a message, of a node or not, that the engine does not take. Where there is no room for it,
// its groups are told of a gap.
func (r *reader) unpublished(m *nats.Msg, p loop.Publication, ofNode bool, err error) {
	switch {
	case errors.Is(err, loop.ErrOverloaded):
		r.b.count.LostOverloaded.Add(1)
		r.b.lostGroups(causeOverloaded, p.Groups)
		r.refuse(m, "overloaded", err.Error())
	case errors.Is(err, loop.ErrDraining), errors.Is(err, loop.ErrClosed):
		r.refuse(m, "draining", err.Error())
	case errors.Is(err, loop.ErrTooLarge):
		r.tooLarge(m, &wire.Bad{Reason: wire.ReasonTooLarge, Err: err.Error()}, ofNode, p.Groups)
	default:
		r.ignore(m, &wire.Bad{Reason: wire.ReasonSubject, Err: err.Error()})
	}
}

// tooLarge ignores a message that is larger than this node takes. A node that it is of has given it to its own
// members: those here miss it.
func (r *reader) tooLarge(m *nats.Msg, bad *wire.Bad, ofNode bool, groups []string) {
	r.ignore(m, bad)
	if ofNode && len(groups) > 0 {
		r.b.lostGroups(causeTooLarge, groups)
	}
}

// ignore counts a message that is not understood, and tells a requester.
func (r *reader) ignore(m *nats.Msg, bad *wire.Bad) {
	r.b.count.Ignored.add(bad.Reason)
	r.b.ration.Warn("bus: a message was not understood and is ignored", "subject", m.Subject,
		"reason", bad.Reason.String(), "why", bad.Err)
	if r.mayAnswer(m) {
		r.b.want(request{subject: m.Reply, data: bad.Refusal().JSON()})
	}
}

func (r *reader) refuse(m *nats.Msg, code, reason string) {
	if r.mayAnswer(m) {
		r.b.want(request{subject: m.Reply, data: wire.Refusal{Error: code, Reason: reason}.JSON()})
	}
}

// maxForeign is how many groups are remembered that had a message of a foreign publisher; with
// more that have members, all are taken for such.
const maxForeign = 1 << 16

// noteForeign remembers that groups get messages without a place: no node can be asked which of those were
// missed.
func (r *reader) noteForeign(groups []string) {
	for _, name := range groups {
		if r.allForeign {
			return
		}
		if _, there := r.foreign[name]; there {
			continue
		}
		if len(r.foreign) >= maxForeign {
			r.pruneForeign()
		}
		r.foreign[strings.Clone(name)] = struct{}{}
	}
}

// pruneForeign forgets groups without members. Where few are forgotten it is not tried again.
func (r *reader) pruneForeign() {
	maps.DeleteFunc(r.foreign, func(name string, _ struct{}) bool { return !r.b.wanted(name) })
	if len(r.foreign) > maxForeign*7/8 {
		r.allForeign = true
		clear(r.foreign)
	}
}
