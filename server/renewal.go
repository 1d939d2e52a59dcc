package server

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime/debug"

	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/loop/quota"
	"groupcast/protocol"
	"groupcast/server/door"
	"groupcast/server/token"
)

// Tokens that open sessions send.

// renew looks at a token that an open session has sent, elsewhere: it runs on a loop. It
// reports false where too many wait, in all or of that address, or one of that session's.
func (g *gate) renew(q loop.AuthRequest) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.waiting[q.Session] {
		return false
	}
	// A unix socket's peers have no address and no share.
	key := quota.AddressKey(door.AddrPort(q.Remote).Addr(), g.force.Load().options.IPv6PrefixBits)
	if !g.enter(key) {
		g.crowded.Add(1)
		return false
	}
	g.waiting[q.Session] = true
	g.renewing.Go(func() {
		defer g.leave(key)
		defer g.survive(q)
		g.answer(q)
	})
	return true
}

// survive ends a session whose token has met a mistake in this program: it alone, as on a road.
func (g *gate) survive(q loop.AuthRequest) {
	p := recover()
	if p == nil {
		return
	}
	g.panics.Add(1)
	g.answered(q.Session)
	g.log.Log(slog.LevelError, "panic", "a session is lost to a mistake in this program",
		"session", q.Session.String(), "error", &door.PanicError{Value: p, Stack: debug.Stack()})
	err := g.drop(g.life, q.Session, ws.StatusInternalServerError, "internal error")
	if err != nil && !errors.Is(err, loop.ErrNoSession) && g.life.Err() == nil {
		g.log.Warn("a session could not be closed", "session", q.Session.String(), "error", err)
	}
}

// answered has the session free to send another token.
func (g *gate) answered(id loop.SessionID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.waiting, id)
}

// enter takes a place of key's share.
func (g *gate) enter(key netip.Prefix) bool {
	if key.IsValid() && !g.shares.Enter(key) {
		return false
	}
	select {
	case g.places <- struct{}{}:
		return true
	default:
		g.exit(key)
		return false
	}
}

func (g *gate) leave(key netip.Prefix) {
	<-g.places
	g.exit(key)
}

func (g *gate) exit(key netip.Prefix) {
	if key.IsValid() {
		g.shares.Exit(key)
	}
}

// answer has the session become who its token says.
func (g *gate) answer(q loop.AuthRequest) {
	force := g.use()
	defer force.users.Done()
	ctx, cancel := context.WithTimeout(g.life, force.options.HandshakeTimeout)
	defer cancel()
	who, refused := g.check(ctx, force, door.AddrPort(q.Remote), q.Token)
	g.answered(q.Session)
	var failed *protocol.CommandError
	switch {
	case refused == errSpent:
		failed = &protocol.CommandError{Code: protocol.CodeRateLimited, Reason: refused.Detail}
	case refused != nil && refused.Reason == token.Unavailable:
		failed = &protocol.CommandError{Code: protocol.CodeOverloaded, Reason: refused.Detail}
	case refused != nil:
		failed = &protocol.CommandError{Code: protocol.CodeNotAllowed, Reason: refused.Detail}
	}
	// A session that is gone needs no answer, and neither does one of an engine that ends.
	err := g.tell(g.life, q, who, failed)
	if err != nil && !errors.Is(err, loop.ErrNoSession) && g.life.Err() == nil {
		g.log.Warn("a session could not be told what became of its token", "session", q.Session.String(), "error", err)
	}
}
