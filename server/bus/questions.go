package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"groupcast/server/bus/wire"
	"groupcast/server/members"
)

const (
	// askWait is how long other nodes have to list a group's members.
	askWait = 250 * time.Millisecond
	// maxQuestions of other nodes are answered at a time.
	maxQuestions = 64
)

// questions are those to other nodes that are under way.
type questions struct {
	mu   sync.Mutex
	last uint64
	open map[uint64]chan<- wire.Control
}

// begin opens a question to up to n nodes.
func (q *questions) begin(n int) (id uint64, answers <-chan wire.Control) {
	came := make(chan wire.Control, n)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	if q.open == nil {
		q.open = make(map[uint64]chan<- wire.Control)
	}
	q.open[q.last] = came
	return q.last, came
}

func (q *questions) end(id uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.open, id)
}

// answer is called by the reader: it does not wait.
func (q *questions) answer(id uint64, c wire.Control) {
	q.mu.Lock()
	came := q.open[id]
	q.mu.Unlock()
	if came == nil {
		return // it is late
	}
	select {
	case came <- c:
	default: // more answers than there are nodes
	}
}

// question is one that nodes were asked, until end.
type question struct {
	b     *Bus
	id    uint64
	nodes []string
	came  <-chan wire.Control
}

// ask puts a question to nodes. The caller owes it an end.
func (b *Bus) ask(nodes []string, of func(id uint64, node string) wire.Control) question {
	id, came := b.questions.begin(len(nodes))
	for _, name := range nodes {
		b.want(request{subject: b.subjects.node + name, control: of(id, name)})
	}
	return question{b, id, nodes, came}
}

func (q question) end() { q.b.questions.end(q.id) }

// answers are those by node that have come when all have, or when wait is over. While NATS is away nobody is waited
// for.
func (q question) answers(ctx context.Context, wait time.Duration) map[string]wire.Control {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	answers := make(map[string]wire.Control, len(q.nodes))
	for len(answers) < len(q.nodes) {
		var c wire.Control
		select {
		case c = <-q.came: // first: what has come is not thrown away since time is over
		default:
			if !q.b.joined.Load() {
				return answers
			}
			select {
			case c = <-q.came:
			case <-ctx.Done():
				return answers
			case <-q.b.stop.Done():
				return answers
			}
		}
		if slices.Contains(q.nodes, c.Node) {
			answers[c.Node] = c
		}
	}
	return answers
}

// answerWith has a goroutine of its own wait for the loops, and answers another node's question with what it says.
// full is the answer if too many are being answered.
func (b *Bus) answerWith(to string, wait time.Duration, full wire.Control, of func(ctx context.Context) wire.Control) {
	if b.asking.Add(1) > maxQuestions {
		b.asking.Add(-1)
		b.count.QuestionsFull.Add(1)
		b.want(request{subject: to, control: full})
		return
	}
	b.running.Go(func() {
		defer b.asking.Add(-1)
		ctx, cancel := context.WithTimeout(b.stop, wait)
		defer cancel()
		b.want(request{subject: to, control: of(ctx)})
	})
}

// Name is this node's.
func (b *Bus) Name() string { return b.opt.Node }

// Members asks all nodes for a group's members; see members.Cluster. Pages go through the nodes by their
// names, so that a place is a node and a session of it.
func (b *Bus) Members(ctx context.Context, group, after string, limit int) (members.Page, error) {
	node, err := parsePlace(after)
	if err != nil {
		return members.Page{}, err
	}
	others := b.others()
	wantOf := func(name string) (behind string, n int) {
		switch {
		case name < node:
			return "", 0 // only counted
		case name == node:
			return after, limit
		}
		return "", limit
	}
	asked := b.ask(others, func(id uint64, name string) wire.Control {
		q := &wire.Members{ID: id, Group: group}
		q.After, q.Limit = wantOf(name)
		return wire.Control{Members: q}
	})
	defer asked.end()
	parts := make(map[string]members.Page, 1+len(others))
	ownAfter, ownLimit := wantOf(b.opt.Node)
	if parts[b.opt.Node], err = b.localMembers(ctx, group, ownAfter, ownLimit); err != nil {
		return members.Page{}, err
	}
	for name, c := range asked.answers(ctx, askWait) {
		if a := c.MembersAnswer; a != nil && !a.Failed {
			parts[name] = pageOf(a)
		}
	}
	return merge(parts, append(others, b.opt.Node), node, limit), nil
}

func pageOf(a *wire.MembersAnswer) members.Page {
	p := members.Page{Total: a.Total, Next: a.Next}
	for _, m := range a.List {
		p.Members = append(p.Members, members.Member{Session: m.Session, User: m.User})
	}
	return p
}

// merge puts the nodes' parts together, from the node on. A page ends behind a session, of which
// the next one goes on.
func merge(parts map[string]members.Page, nodes []string, from string, limit int) (page members.Page) {
	slices.Sort(nodes)
	more := false
	for _, name := range nodes {
		part, ok := parts[name]
		if !ok {
			page.Silent = append(page.Silent, name)
			continue
		}
		page.Total += part.Total
		if more || name < from {
			continue
		}
		n := min(limit-len(page.Members), len(part.Members))
		for _, m := range part.Members[:n] {
			m.Node = name
			page.Members = append(page.Members, m)
		}
		more = n < len(part.Members) || part.Next != ""
	}
	if n := len(page.Members); more && n > 0 {
		page.Next = page.Members[n-1].Session
	}
	return page
}

// parsePlace reads a page's place, which is a session's text: of which node, and which of it.
func parsePlace(text string) (node string, err error) {
	if text == "" {
		return "", nil
	}
	node, _, _, ok := wire.ParseSession(text)
	if !ok || node == "" {
		return "", fmt.Errorf("%w: got %q", members.ErrAfter, text)
	}
	return node, nil
}

// localMembers is this node's part, with sessions named as they are in a cluster. A place of an earlier
// life of it is the beginning.
func (b *Bus) localMembers(ctx context.Context, group, after string, limit int) (members.Page, error) {
	if id, ours := b.ownSession(after); ours {
		after = id.String()
	} else {
		after = ""
	}
	page, err := members.Local(ctx, b.engine, group, after, limit)
	for i, m := range page.Members {
		page.Members[i].Session = wire.SessionText(b.opt.Node, b.epoch, m.Session)
	}
	if page.Next != "" {
		page.Next = wire.SessionText(b.opt.Node, b.epoch, page.Next)
	}
	return page, err
}

// answerMembers answers another node's question.
func (b *Bus) answerMembers(to string, q *wire.Members) {
	answerOf := func(a wire.MembersAnswer) wire.Control {
		a.ID = q.ID
		return wire.Control{MembersAnswer: &a}
	}
	b.answerWith(to, askWait, answerOf(wire.MembersAnswer{Failed: true}), func(ctx context.Context) wire.Control {
		page, err := b.localMembers(ctx, q.Group, q.After, q.Limit)
		answer := wire.MembersAnswer{Total: page.Total, Next: page.Next}
		answer.Failed = err != nil && !errors.Is(err, context.Canceled)
		for _, m := range page.Members {
			answer.List = append(answer.List, wire.Member{Session: m.Session, User: m.User})
		}
		return answerOf(answer)
	})
}
