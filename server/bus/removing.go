package bus

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/protocol"
	"groupcast/protocol/subject"
	"groupcast/server/bus/wire"
	"groupcast/server/members"
)

// Sessions that are to be closed, and members that are to leave, wherever they are. A node does it to its own and says
// to how many; it may be done twice, so that whoever is told of a silent node may ask again.

const (
	// removeWait is how long other nodes have to say that they have done it (Bus.removeWait), and removeTime how long
	// they go on: to find a user's sessions each loop looks through all that it has.
	removeWait = time.Second
	removeTime = 2 * time.Second
)

// CloseUser begins the close handshakes of a user's sessions on all nodes; see members.Cluster.
func (b *Bus) CloseUser(ctx context.Context, user string, code ws.StatusCode, reason string) (closed int,
	silent []string, err error,
) {
	if err := protocol.CheckClose(code, reason); err != nil {
		return 0, nil, err
	}
	if !loop.ValidUser(user) {
		return 0, nil, nil // a name that nobody can have is sent to no node: none would read it
	}
	return b.removeEverywhere(ctx, wire.Remove{User: user, Code: code, Reason: reason})
}

// Dissolve has everyone leave a group, on all nodes; see members.Cluster.
func (b *Bus) Dissolve(ctx context.Context, group string) (left int, silent []string, err error) {
	if !subject.ValidName(group) {
		return 0, nil, nil
	}
	return b.removeEverywhere(ctx, wire.Remove{Group: group})
}

// CloseSession begins the close handshake of any node's session; see members.Cluster.
func (b *Bus) CloseSession(ctx context.Context, text string, code ws.StatusCode, reason string) error {
	if err := protocol.CheckClose(code, reason); err != nil {
		return err
	}
	node, _, _, ok := wire.ParseSession(text)
	if !ok {
		return loop.ErrNoSession
	}
	order := wire.Remove{Session: text, Code: code, Reason: reason}
	var closed int
	var err error
	switch {
	case node == "" || node == b.opt.Node:
		closed, err = b.remove(ctx, &order)
	case slices.Contains(b.others(), node):
		asked := b.askToRemove([]string{node}, order)
		defer asked.end()
		var silent []string
		if closed, silent = asked.removed(ctx); len(silent) > 0 {
			return members.ErrSilent
		}
	case !b.joined.Load():
		return members.ErrSilent
	}
	if err == nil && closed == 0 {
		err = loop.ErrNoSession
	}
	return err
}

func (b *Bus) removeEverywhere(ctx context.Context, order wire.Remove) (removed int, silent []string, err error) {
	asked := b.askToRemove(b.others(), order)
	defer asked.end()
	own, err := b.remove(ctx, &order)
	if err == nil && len(asked.nodes) == 0 && !b.joined.Load() {
		return own, nil, members.ErrSilent // there may be others: this node has not met them yet
	}
	removed, silent = asked.removed(ctx)
	return own + removed, silent, err
}

// askToRemove has nodes do it. The caller owes the question an end.
func (b *Bus) askToRemove(nodes []string, order wire.Remove) question {
	return b.ask(nodes, func(id uint64, _ string) wire.Control {
		each := order
		each.ID = id
		return wire.Control{Remove: &each}
	})
}

// removed is what nodes that were asked to remove somebody have done. silent are those that have not said in time that
// all is done.
func (q question) removed(ctx context.Context) (removed int, silent []string) {
	answers := q.answers(ctx, q.b.removeWait)
	for _, name := range q.nodes {
		a := answers[name].Removed
		if a != nil {
			removed += a.Count
		}
		if a == nil || a.Failed {
			silent = append(silent, name)
		}
	}
	return removed, silent
}

// remove does it to this node's own. That there is nobody is no error.
func (b *Bus) remove(ctx context.Context, order *wire.Remove) (removed int, err error) {
	switch {
	case order.Session != "":
		id, ours := b.ownSession(order.Session)
		if !ours {
			return 0, nil
		}
		if err = b.engine.CloseSession(ctx, id, order.Code, order.Reason); err == nil {
			removed = 1
		}
	case order.User != "":
		removed, err = b.engine.CloseUser(ctx, order.User, order.Code, order.Reason)
	default:
		removed, err = b.engine.Dissolve(ctx, order.Group)
	}
	if errors.Is(err, loop.ErrNoSession) || errors.Is(err, loop.ErrNoUser) || errors.Is(err, loop.ErrNoGroup) {
		err = nil
	}
	return removed, err
}

// answerRemove does what another node wants done here.
func (b *Bus) answerRemove(to string, order *wire.Remove) {
	answerOf := func(removed int, failed bool) wire.Control {
		return wire.Control{Removed: &wire.Removed{ID: order.ID, Count: removed, Failed: failed}}
	}
	b.answerWith(to, removeTime, answerOf(0, true), func(ctx context.Context) wire.Control {
		removed, err := b.remove(ctx, order)
		b.count.Removed.Add(uint64(removed))
		return answerOf(removed, err != nil)
	})
}
