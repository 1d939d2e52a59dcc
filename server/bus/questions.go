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
	open map[uint64]chan<- nodeAnswer
}

// nodeAnswer is one node's.
type nodeAnswer struct {
	*wire.MembersAnswer
	node string
}

// begin opens a question to up to n nodes.
func (q *questions) begin(n int) (id uint64, answers <-chan nodeAnswer) {
	came := make(chan nodeAnswer, n)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last++
	if q.open == nil {
		q.open = make(map[uint64]chan<- nodeAnswer)
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
func (q *questions) answer(node string, a *wire.MembersAnswer) {
	q.mu.Lock()
	came := q.open[a.ID]
	q.mu.Unlock()
	if came == nil {
		return // it is late
	}
	select {
	case came <- nodeAnswer{a, node}:
	default: // more answers than there are nodes
	}
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
	id, came := b.questions.begin(len(others))
	defer b.questions.end(id)
	for _, name := range others {
		q := &wire.Members{ID: id, Group: group}
		q.After, q.Limit = wantOf(name)
		b.want(request{subject: b.subjects.node + name, control: wire.Control{Members: q}})
	}
	parts := make(map[string]members.Page, 1+len(others))
	ownAfter, ownLimit := wantOf(b.opt.Node)
	if parts[b.opt.Node], err = b.localMembers(ctx, group, ownAfter, ownLimit); err != nil {
		return members.Page{}, err
	}
	timer := time.NewTimer(askWait)
	defer timer.Stop()
	waiting := make(map[string]struct{}, len(others))
	for _, name := range others {
		waiting[name] = struct{}{}
	}
	for len(waiting) > 0 && b.joined.Load() {
		select {
		case a := <-came:
			if _, asked := waiting[a.node]; asked && !a.Failed {
				parts[a.node] = pageOf(a.MembersAnswer)
			}
			delete(waiting, a.node)
			continue
		case <-timer.C:
		case <-ctx.Done():
		case <-b.stop.Done():
		}
		break
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

// answerMembers answers another node's question. A goroutine of its own waits for the loops.
func (b *Bus) answerMembers(to string, q *wire.Members) {
	if b.asking.Add(1) > maxQuestions {
		b.asking.Add(-1)
		b.count.QuestionsFull.Add(1)
		b.want(request{subject: to, control: wire.Control{MembersAnswer: &wire.MembersAnswer{ID: q.ID, Failed: true}}})
		return
	}
	b.running.Go(func() {
		defer b.asking.Add(-1)
		ctx, cancel := context.WithTimeout(b.stop, askWait)
		defer cancel()
		answer := &wire.MembersAnswer{ID: q.ID}
		page, err := b.localMembers(ctx, q.Group, q.After, q.Limit)
		if err != nil && !errors.Is(err, context.Canceled) {
			answer.Failed = true
		}
		answer.Total, answer.Next = page.Total, page.Next
		for _, m := range page.Members {
			answer.List = append(answer.List, wire.Member{Session: m.Session, User: m.User})
		}
		b.want(request{subject: to, control: wire.Control{MembersAnswer: answer}})
	})
}
