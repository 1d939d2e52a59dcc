package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"groupcast/loop"
	"groupcast/loop/ration"
	"groupcast/protocol"
	"groupcast/server/members"
)

// Who is in a group: asked of the loops by sessions, of this node alone or of all.

// directory knows who is in a group.
// Owner: the Server. page may be called by any goroutine once engine is set.
type directory struct {
	engine  members.Engine
	cluster atomic.Pointer[members.Cluster] // nil: this node is alone
}

// join has the directory ask a cluster from now on.
func (d *directory) join(c members.Cluster) { d.cluster.Store(&c) }

// others is the cluster, nil where this node is alone.
func (d *directory) others() members.Cluster {
	if c := d.cluster.Load(); c != nil {
		return *c
	}
	return nil
}

// page is a part of a group's members, behind after.
func (d *directory) page(ctx context.Context, group, after string, limit int) (members.Page, error) {
	if c := d.others(); c != nil {
		return c.Members(ctx, group, after, limit)
	}
	return members.Local(ctx, d.engine, group, after, limit)
}

// questions are those of sessions, each a goroutine.
// Owner: the Server. take runs on the loops; the rest may be called by any goroutine.
type questions struct {
	page func(ctx context.Context, group, after string, limit int) (members.Page, error)
	// tell brings a session its answer, as loop.Engine.MembersListed does; set before anybody comes.
	tell func(context.Context, loop.MembersRequest, []byte, *protocol.CommandError) error
	log  *ration.Logger

	limits atomic.Pointer[questionLimits]
	life   context.Context // ends with the questions
	end    context.CancelFunc
	asking sync.WaitGroup

	answered, full, late, failed atomic.Uint64

	mu       sync.Mutex
	closed   bool
	underWay int
	waiting  map[loop.SessionID]bool // those whose question is being answered
}

// questionLimits never change themselves.
type questionLimits struct {
	underWay  int
	within    time.Duration // for the loops to answer
	textBytes int           // of an answer with more than one member
}

func limitsOfQuestions(o Options) *questionLimits {
	return &questionLimits{o.MaxMemberQuestions, o.APILimits.QueryTimeout, o.MaxMessageBytes}
}

func newQuestions(o Options, d *directory, log *slog.Logger) *questions {
	q := &questions{page: d.page, log: ration.New(log), waiting: make(map[loop.SessionID]bool)}
	q.limits.Store(limitsOfQuestions(o))
	q.life, q.end = context.WithCancel(context.Background())
	return q
}

// take has a question answered. It reports false where too many are under way, in all or one of that
// session's.
func (q *questions) take(r loop.MembersRequest) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.waiting[r.Session] || q.underWay >= q.limits.Load().underWay {
		q.full.Add(1)
		return false
	}
	q.underWay++
	q.waiting[r.Session] = true
	q.asking.Go(func() { q.answer(r) })
	return true
}

var (
	errNoPlace = &protocol.CommandError{
		Code: protocol.CodeBadCommand, Reason: "after must be the next of a page",
	}
	errLate = &protocol.CommandError{
		Code: protocol.CodeOverloaded, Reason: "the event loops did not say in time who is in the group",
	}
	errNobodyToAsk = &protocol.CommandError{
		Code: protocol.CodeOverloaded, Reason: "nobody can be asked who is in the group at the moment",
	}
)

// answer finds what was asked for, and tells it.
func (q *questions) answer(r loop.MembersRequest) {
	defer q.leave()
	text, refused := q.find(r)
	q.mayAskAgain(r.Session) // before it is told: the next question may come at once
	// A loop that stands still is not waited for, or its sessions would have all the places. They get
	// their answers when it goes on.
	ctx, cancel := context.WithTimeout(q.life, q.limits.Load().within)
	defer cancel()
	err := q.tell(ctx, r, text, refused)
	if err != nil && !errors.Is(err, loop.ErrNoSession) && ctx.Err() == nil {
		q.log.Log(slog.LevelWarn, "members", "a session could not be told who is in a group", "session", r.Session.String(),
			"error", err)
	}
}

func (q *questions) mayAskAgain(id loop.SessionID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, id)
}

func (q *questions) leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.underWay--
}

// find is the text of the answer, or why there is none.
func (q *questions) find(r loop.MembersRequest) (text []byte, refused *protocol.CommandError) {
	limits := q.limits.Load()
	ctx, cancel := context.WithTimeout(q.life, limits.within)
	defer cancel()
	for limit := r.Limit; ; {
		page, err := q.page(ctx, r.Group, r.After, limit)
		switch {
		case err == nil:
		case errors.Is(err, members.ErrAfter):
			return nil, errNoPlace
		case ctx.Err() != nil:
			q.late.Add(1)
			return nil, errLate
		default:
			q.failed.Add(1)
			q.log.Log(slog.LevelWarn, "members", "it could not be found out who is in a group", "error", err)
			return nil, errNobodyToAsk
		}
		text = r.Text(&page)
		n := len(page.Members)
		if len(text) <= limits.textBytes || n <= 1 {
			q.answered.Add(1)
			return text, nil
		}
		// Where a page ends, only a page says: so a smaller one is asked for, rarely more than once.
		limit = max(1, min(n-1, n*limits.textBytes/len(text)))
	}
}

// close ends all, and waits for them.
func (q *questions) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.end()
	q.asking.Wait()
}

func (q *questions) stats() *members.Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	return &members.Stats{
		Answered: q.answered.Load(), UnderWay: q.underWay, Full: q.full.Load(), Late: q.late.Load(),
		Failed: q.failed.Load(),
	}
}

func (q *questions) prepare(next Options) (change, error) {
	return change{commit: func() error {
		q.limits.Store(limitsOfQuestions(next))
		return nil
	}}, nil
}

func (q *questions) running(o *Options) { o.MaxMemberQuestions = q.limits.Load().underWay }
