package interest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"pgregory.net/rapid"

	"groupcast/loop"
	"groupcast/loop/order"
	"groupcast/server/bus/wire"
)

// world is all that stands around a table, as plainly as it can be written: sessions on
// reactors, their outboxes, the loops' list of what is covered, and NATS. Whatever a table
// does to it is checked at once.
type world struct {
	*rapid.T
	t        *table
	now      time.Time
	reactors []*fakeReactor

	// The loops.
	coverage  Coverage
	covered   map[string]bool
	acked     map[membership]bool // whose join was answered, as covered, on this connection
	were      map[string]bool     // of asked: those that were covered
	asked     []string            // by an Uncover that has not looked yet
	answer    *uncoverAnswer      // of one that has
	gapsOwed  map[string]bool     // that members are to be told of
	telling   []string
	coverFail bool // the next Cover fails

	// NATS.
	isUp            bool
	subs            map[string]bool // as written
	wildcard        bool
	confirmed       map[string]bool // behind whose SUB a marker was answered whole
	wildConfirmed   bool
	marker, highest uint64
	behind          confirmation // what the marker under way stands behind
	switching       bool

	seen     map[string]int       // members, by what the table was told
	vanished map[string]time.Time // when it was told that there are none
	switches int
	anews    int
	reused   int
}

type membership struct {
	reactor int
	session int
	group   string
}

type confirmation struct {
	subs     map[string]bool
	wildcard bool
}

// fakeReactor has an outbox as the real one has.
type fakeReactor struct {
	index   int
	in      map[membership]bool
	changes []loop.MemberChange
	anew    bool
	read    int // sessions below it were read
	seen    map[membership]bool

	overflowed bool
	unsure     bool // changes are missing in what the table was told
}

const (
	worldReactors = 2
	worldSessions = 3 // a reactor
	worldSubjects = 4
	worldGroups   = 7
)

func newWorld(rt *rapid.T, linger time.Duration) *world {
	o := DefaultOptions(worldReactors)
	o.Subjects, o.Linger = worldSubjects, linger
	if pace := rapid.SampledFrom([]time.Duration{0, MarkerPause / 2}).Draw(rt, "pace"); pace > 0 {
		o.Pace = func() time.Duration { return pace }
	}
	if err := o.Validate(); err != nil {
		rt.Fatal(err)
	}
	w := &world{
		T: rt, now: time.Now(), covered: map[string]bool{}, acked: map[membership]bool{},
		gapsOwed: map[string]bool{}, subs: map[string]bool{}, confirmed: map[string]bool{},
		seen: map[string]int{}, vanished: map[string]time.Time{},
	}
	w.t = newTable(o, w.now)
	w.t.batchGroups = rapid.SampledFrom([]int{1, 2, MaxBatchGroups}).Draw(rt, "groups in a batch")
	for i := range worldReactors {
		w.reactors = append(w.reactors, &fakeReactor{index: i, in: map[membership]bool{}, seen: map[membership]bool{}})
	}
	w.after()
	return w
}

// members is how many a group has in truth.
func (w *world) members(group string) (n int) {
	for _, r := range w.reactors {
		for m := range r.in {
			if m.group == group {
				n++
			}
		}
	}
	return n
}

// toggle has a session join a group, or leave it.
func (w *world) toggle(m membership) {
	r := w.reactors[m.reactor]
	joins := !r.in[m]
	if joins {
		r.in[m] = true
		if w.coverage == On && w.covered[m.group] {
			w.acked[m] = true
		}
	} else {
		delete(r.in, m)
		delete(w.acked, m)
	}
	if m.session < r.read {
		r.note(m, joins)
	}
}

// note puts a change into the outbox; what cancels out is left out.
func (r *fakeReactor) note(m membership, joined bool) {
	c := change(m, joined)
	for i, other := range slices.Backward(r.changes) {
		if other.Session == c.Session && other.Group == c.Group {
			if other.Joined != joined {
				r.changes = slices.Delete(r.changes, i, i+1)
				return
			}
			break
		}
	}
	r.changes = append(r.changes, c)
}

func change(m membership, joined bool) (c loop.MemberChange) {
	c.Session, c.Group, c.Joined = order.NewSessionID(m.reactor, uint32(m.session), 1), m.group, joined
	return c
}

// overflow drops what the outbox has. What comes until begin is noted, and makes no sense.
func (r *fakeReactor) overflow() {
	r.changes, r.anew, r.overflowed, r.unsure = nil, false, true, true
}

// begin begins the reading that an overflow brings.
func (r *fakeReactor) begin() {
	if r.overflowed {
		r.changes, r.anew, r.read, r.overflowed = nil, true, 0, false
	}
}

// sorted are the memberships in an order that a test that is run again has again.
func (r *fakeReactor) sorted() []membership {
	return slices.SortedFunc(maps.Keys(r.in), func(a, b membership) int {
		return cmp.Or(cmp.Compare(a.session, b.session), cmp.Compare(a.group, b.group))
	})
}

// readOne reads one session more.
func (r *fakeReactor) readOne() {
	if r.read >= worldSessions {
		r.read = math.MaxInt
		return
	}
	for _, m := range r.sorted() {
		if m.session == r.read {
			r.changes = append(r.changes, change(m, true))
		}
	}
	r.read++
}

// deliver gives the table what an outbox has.
func (w *world) deliver(r *fakeReactor) {
	if !r.anew && len(r.changes) == 0 {
		return
	}
	u := loop.MembersUpdate{Reactor: r.index, Anew: r.anew, Changes: r.changes}
	r.changes, r.anew = nil, false
	if u.Anew {
		w.anews++
		for m := range r.seen {
			w.see(r, m.group, -1)
		}
		clear(r.seen)
	}
	for _, c := range u.Changes {
		m := membership{r.index, int(c.Session.Slot()), c.Group}
		switch {
		case c.Joined == r.seen[m]: // after an overflow
		case c.Joined:
			w.see(r, m.group, 1)
			r.seen[m] = true
		default:
			w.see(r, m.group, -1)
			delete(r.seen, m)
		}
	}
	r.unsure = r.unsure && !u.Anew
	w.t.update(u)
}

func (w *world) see(r *fakeReactor, group string, n int) {
	if w.seen[group] += n; w.seen[group] == 0 {
		w.vanished[group] = w.now
		if r.unsure { // for a table that counts it may have been before
			w.vanished[group] = time.Time{}
		}
	}
}

// after does for the table what Run does after each event, and then checks everything.
func (w *world) after() {
	w.t.at(w.now)
	w.t.advance()
	if c, due := w.t.takeCoverage(); due {
		w.coverage = c
		if c != On {
			clear(w.acked)
		} else {
			for name := range w.covered {
				w.release(name)
			}
		}
	}
	for {
		names := w.t.takeCover()
		if len(names) == 0 {
			break
		}
		if w.coverFail {
			w.coverFail = false
			w.t.coverFailed(names)
			continue
		}
		for _, name := range names {
			w.covered[name] = true
			w.release(name)
		}
	}
	if names := w.t.takeUncover(); names != nil {
		if w.asked != nil || w.answer != nil {
			w.Fatalf("asked about %v while %v was under way", names, w.asked)
		}
		w.asked, w.were = names, map[string]bool{}
	}
	if names := w.t.takeGaps(); names != nil {
		if w.telling != nil {
			w.Fatalf("gaps of %v while %v are being told", names, w.telling)
		}
		w.telling = names
	}
	w.check()
}

// release answers the joins that wait for a group.
func (w *world) release(group string) {
	if w.coverage != On {
		return
	}
	for _, r := range w.reactors {
		for m := range r.in {
			if m.group == group {
				w.acked[m] = true
			}
		}
	}
}

// look is the second half of an Uncover: the loops look, or some of them do not.
func (w *world) look(fails bool) {
	if w.asked == nil {
		return
	}
	a := &uncoverAnswer{}
	for i, name := range w.asked {
		if fails && i%2 == 1 {
			continue // not even taken out
		}
		w.takeOutOne(name)
		if !fails && w.members(name) > 0 {
			if w.were[name] { // only what the loops had noted is put back
				w.covered[name] = true
				w.release(name)
			}
			a.used = append(a.used, name)
		}
	}
	if fails {
		a.err = errors.New("a loop is busy")
	}
	w.asked, w.answer = nil, a
}

// takeOut is the first half: between the two the loops cover none of them.
func (w *world) takeOut() {
	for _, name := range w.asked {
		w.takeOutOne(name)
	}
}

func (w *world) takeOutOne(name string) {
	w.were[name] = w.were[name] || w.covered[name]
	delete(w.covered, name)
}

func (w *world) answerUncover() {
	if a := w.answer; a != nil {
		w.answer = nil
		w.reused += len(a.used)
		w.t.uncovered(a.used, a.err)
	}
}

func (w *world) tellGaps(fails bool) {
	if w.telling == nil {
		return
	}
	names := w.telling
	w.telling = nil
	if fails {
		w.t.gapped(errors.New("the loops have no room"))
		return
	}
	for _, name := range names {
		delete(w.gapsOwed, name)
	}
	w.t.gapped(nil)
}

// lose has messages of some groups be lost.
func (w *world) lose(all bool, name string) {
	for group, n := range w.seen {
		if n > 0 && (w.covered[group] || w.subs[group]) && (all || group == name) {
			w.gapsOwed[group] = true
		}
	}
	hash := wire.Hash(name)
	w.t.lost([]func(uint64) bool{func(h uint64) bool { return h == hash }}, all)
}

// write is the writer: it takes a batch, if there is one, and writes it.
func (w *world) write() (wrote bool) {
	b, ready := w.t.batch()
	if !ready {
		return false
	}
	if !w.isUp {
		w.Fatalf("a batch without a connection: %+v", b)
	}
	w.t.handed(&b)
	if b.Switching {
		if w.switching {
			w.Fatalf("a change within a change: %+v", b)
		}
		w.switching = true
	}
	if b.WildcardOn {
		if w.wildcard {
			w.Fatal("the wildcard twice")
		}
		w.wildcard = true
	}
	for _, name := range b.Subscribe {
		if w.subs[name] {
			w.Fatalf("SUB of %s twice", name)
		}
		w.subs[name] = true
		if len(w.subs) > worldSubjects {
			w.Fatalf("%d subjects", len(w.subs))
		}
	}
	for _, name := range b.Unsubscribe {
		if !w.subs[name] {
			w.Fatalf("UNSUB of %s without SUB", name)
		}
		delete(w.subs, name)
		delete(w.confirmed, name)
		if !w.wildcard && w.isUp && w.now.Sub(w.vanished[name]) < w.t.opt.Linger {
			w.Fatalf("%s did not linger", name)
		}
		if w.behind.subs != nil {
			delete(w.behind.subs, name) // should it come again, this marker is not behind it
		}
	}
	if b.WildcardOff {
		if !w.wildcard {
			w.Fatal("no wildcard to be given up")
		}
		w.wildcard, w.wildConfirmed, w.behind.wildcard = false, false, false
	}
	if w.wildcard && len(w.subs) > 0 && !w.switching {
		w.Fatalf("double arrivals outside of a change: %+v", b)
	}
	if b.Switched {
		if !w.switching || b.Marker == 0 || w.wildcard && len(w.subs) > 0 {
			w.Fatalf("a change that ends like this: %+v", b)
		}
		w.switching = false
		w.switches++
	}
	if b.Marker != 0 {
		if w.marker != 0 || b.Marker <= w.highest {
			w.Fatalf("marker %d while %d was under way, behind %d", b.Marker, w.marker, w.highest)
		}
		w.marker, w.highest = b.Marker, b.Marker
		w.behind = confirmation{maps.Clone(w.subs), w.wildcard}
	}
	return true
}

// mark answers the marker under way.
func (w *world) mark(whole bool) {
	number := w.marker
	if number == 0 {
		return
	}
	if whole {
		maps.Copy(w.confirmed, w.behind.subs)
		w.wildConfirmed = w.wildConfirmed || w.behind.wildcard
	}
	w.marker, w.behind = 0, confirmation{}
	w.t.marked(number, whole)
}

func (w *world) down() {
	lateMarker := w.marker
	w.isUp, w.marker, w.behind, w.wildConfirmed = false, 0, confirmation{}, false
	clear(w.confirmed)
	w.t.isDown()
	w.t.marked(lateMarker, true) // comes late, and means nothing
}

func (w *world) up() {
	w.isUp = true
	w.t.isUp()
}

// check is what must hold whenever the table has done something.
func (w *world) check() {
	if w.coverage != On {
		return
	}
	if !w.isUp {
		w.Fatal("coverage without a connection")
	}
	for name := range w.covered {
		if !w.confirmed[name] && !w.wildConfirmed {
			w.Fatalf("%s is covered, and not known to be subscribed to", name)
		}
	}
	for m := range w.acked {
		if !w.confirmed[m.group] && !w.wildConfirmed {
			w.Fatalf("the join of %v was answered, and its group is not subscribed to", m)
		}
	}
}

// settle has everything answered, until nothing happens any more, and checks what is then:
// every join is answered, and what is subscribed to is what has members, or lingers.
func (w *world) settle() {
	if !w.isUp {
		w.up()
		w.after()
	}
	for steps := 0; ; steps++ {
		if steps > 1000 {
			w.Fatal("it never comes to rest")
		}
		for _, r := range w.reactors {
			r.begin()
			for r.read != math.MaxInt {
				r.readOne()
			}
			w.deliver(r)
			w.after()
		}
		w.look(false)
		w.answerUncover()
		w.after()
		w.tellGaps(false)
		w.after()
		wrote := w.write()
		w.after()
		marked := w.marker != 0
		w.mark(true)
		w.after()
		due := w.t.next()
		if soon := w.now.Add(time.Second); !due.Equal(never) && due.Before(soon) && due.After(w.now) {
			w.now = due
			w.after()
			continue
		}
		if !wrote && !marked && w.asked == nil && w.answer == nil && w.telling == nil {
			break
		}
	}
	want := map[string]bool{}
	for i := range worldGroups {
		name := fmt.Sprint(i)
		has := w.members(name) > 0
		if has {
			want[name] = true
		}
		if has && !w.covered[name] {
			w.Fatalf("a join of %s waits for ever", name)
		}
		if has && w.gapsOwed[name] {
			w.Fatalf("the gap of %s is never told", name)
		}
	}
	for m := range w.allIn() {
		if !w.acked[m] {
			w.Fatalf("the join of %v is never answered", m)
		}
	}
	lingering := maps.Clone(want)
	for i := range w.t.groups {
		if g := &w.t.groups[i]; g.used && g.in[inLingering] {
			lingering[g.name] = true
		}
	}
	switch {
	case w.wildcard:
		if len(w.subs) > 0 && !w.switching {
			w.Fatalf("%v beside the wildcard", w.subs)
		}
	case !maps.Equal(w.subs, lingering):
		w.Fatalf("subscribed to %v, want %v", w.subs, lingering)
	}
	if s := w.t.stats(); s.Groups != len(lingering) || s.Waiting != 0 || s.Unwritten != 0 || s.Subjects != len(w.subs) ||
		s.Lingering != len(lingering)-len(want) {
		w.Fatalf("%+v of %v, lingering %v", s, want, lingering)
	}
}

func (w *world) allIn() map[membership]bool {
	all := map[membership]bool{}
	for _, r := range w.reactors {
		maps.Copy(all, r.in)
	}
	return all
}
