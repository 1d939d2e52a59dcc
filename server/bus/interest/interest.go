package interest

import (
	"context"
	"errors"
	"sync"
	"time"

	"groupcast/loop"
)

// Coverage says what a join's ack can mean: whether messages of other nodes reach this one.
type Coverage uint8

// The coverages that an Interest tells.
const (
	Away    Coverage = iota // there is no connection
	Pending                 // there is one, and nothing is known to be covered yet
	On                      // the groups noted as covered are
)

func (c Coverage) String() string { return [...]string{"away", "pending", "on"}[c] }

// Loops is what the engine does.
type Loops interface {
	// SetCoverage says what is believed of the groups noted as covered: nothing, unless it is On.
	// Which are noted stays as it is. On releases the joins that wait for one of these.
	SetCoverage(c Coverage)
	// Cover notes that groups are covered, and then releases the joins that wait for it. It does
	// not wait for the loops.
	Cover(groups []string) error
	// Uncover takes groups out, and then asks the loops: those that have members now are put back
	// and returned. After an error some may be in and some out.
	Uncover(ctx context.Context, groups []string) (used []string, err error)
	// Gap tells the groups' members that they may have missed messages.
	Gap(ctx context.Context, groups []string) error
}

// Members tells who comes and goes, as loop.Members does.
type Members interface {
	Next(ctx context.Context) (loop.MembersUpdate, error)
}

// Interest keeps a node subscribed to the groups that it has members in.
//
// Owner: the goroutine of Run; Marked, Down, Up, Lost, Batches and Stats are for any.
type Interest struct {
	opt     Options
	loops   Loops
	members Members
	batches chan Batch
	box     mailbox

	mu     sync.Mutex
	stats  Stats
	failed uint64 // calls; Run's
}

// New makes one. There is no connection until Up.
func New(loops Loops, members Members, o Options) (*Interest, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Interest{
		opt:     o,
		loops:   loops,
		members: members,
		batches: make(chan Batch),
		box:     mailbox{news: make(chan struct{}, 1)},
	}, nil
}

// Batches is where the writer gets what it is to write. What comes together while it does not
// ask goes into one batch: a group stands in it once.
func (i *Interest) Batches() <-chan Batch { return i.batches }

// Run works until ctx ends, and returns nil then; else the error of Members. The coverage that
// was told last stays.
func (i *Interest) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	updates, ended := make(chan loop.MembersUpdate), make(chan error, 1)
	work.Go(func() { ended <- i.follow(ctx, updates) })
	uncovered, gapped := make(chan uncoverAnswer, 1), make(chan error, 1)
	timer := time.NewTimer(0)
	defer timer.Stop()
	t := newTable(i.opt, time.Now())
	i.read(t) // a connection that is there already is not Away first
	for {
		t.advance()
		i.tell(t)
		if names := t.takeUncover(); names != nil {
			work.Go(func() { uncovered <- i.uncover(ctx, names) })
		}
		if names := t.takeGaps(); names != nil {
			work.Go(func() { gapped <- i.gap(ctx, names) })
		}
		i.keepStats(t)
		var out chan<- Batch
		b, ready := t.batch()
		if ready {
			out = i.batches
		}
		if at := t.next(); at.Equal(never) {
			timer.Stop()
		} else {
			timer.Reset(time.Until(at))
		}
		select {
		case u := <-updates:
			t.at(time.Now())
			t.update(u)
		case out <- b:
			t.at(time.Now())
			t.handed(&b)
		case <-i.box.news:
			t.at(time.Now())
			i.read(t)
		case answer := <-uncovered:
			t.at(time.Now())
			i.note(answer.err, "which groups are used")
			t.uncovered(answer.used, answer.err)
		case err := <-gapped:
			t.at(time.Now())
			i.note(err, "gaps")
			t.gapped(err)
		case <-timer.C:
			t.at(time.Now())
		case err := <-ended:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// follow hands the members' updates over.
func (i *Interest) follow(ctx context.Context, updates chan<- loop.MembersUpdate) error {
	for {
		u, err := i.members.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case updates <- u:
		case <-ctx.Done():
			return nil
		}
	}
}

// read takes in what came by the mailbox.
func (i *Interest) read(t *table) {
	m := i.box.take()
	t.marked(m.marker, m.whole)
	if m.down {
		t.isDown()
	}
	if m.up {
		t.isUp()
	}
	if m.all || len(m.matches) > 0 {
		t.lost(m.matches, m.all)
	}
	for _, ask := range m.asks {
		ask.reply <- t.count(ask.names)
	}
}

// tell tells the loops what is covered.
func (i *Interest) tell(t *table) {
	if c, due := t.takeCoverage(); due {
		i.loops.SetCoverage(c)
	}
	for {
		names := t.takeCover()
		if len(names) == 0 {
			return
		}
		if err := i.loops.Cover(names); err != nil {
			i.note(err, "covered groups")
			t.coverFailed(names)
		}
	}
}

// note logs and counts a call of the loops that failed.
func (i *Interest) note(err error, what string) {
	if err != nil && !errors.Is(err, context.Canceled) {
		i.failed++
		i.opt.Log.Warn("the event loops were not told, which is tried again", "what", what, "error", err)
	}
}

type uncoverAnswer struct {
	used []string
	err  error
}

func (i *Interest) uncover(ctx context.Context, names []string) (a uncoverAnswer) {
	ctx, cancel := context.WithTimeout(ctx, UncoverWait)
	defer cancel()
	a.used, a.err = i.loops.Uncover(ctx, names)
	return a
}

func (i *Interest) gap(ctx context.Context, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, GapWait)
	defer cancel()
	return i.loops.Gap(ctx, names)
}
