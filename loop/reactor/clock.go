package reactor

import (
	"time"

	"github.com/gobwas/ws"

	"groupcast/protocol"
)

// What happens when time goes on.

// maxLate is how many ticks are made at once: one more than was due. Those that
// were missed beyond that do not count.
const maxLate = 2

// Tick is for the engine's clock, from its goroutine. It reports false if the loop has
// not got to the one before.
func (r *Reactor) Tick() (ran bool) {
	if r.ticking.CompareAndSwap(false, true) {
		return r.execute(r.onTick) == nil
	}
	return false
}

// LastTick is when the loop last answered the clock, since the engine's start. For any
// goroutine.
func (r *Reactor) LastTick() time.Duration { return time.Duration(r.lastTick.Load()) }

// advance moves the wheel to the present.
func (r *Reactor) advance() {
	r.ticking.Store(false)
	now := time.Duration(r.clock())
	r.lastTick.Store(int64(now))
	due := (now - r.ticked) / r.every
	if due > maxLate {
		r.ticked += (due - maxLate) * r.every
	}
	switch {
	case r.overdue > 0: // on their way already
	case due == 1:
		r.makeTicks(1)
	case due > 1:
		// What peers said meanwhile lies in the kernel and is to be heard before
		// anybody's time is over. The yield comes back behind every socket that
		// had something when it was made; one that is out already was made
		// before the standstill.
		r.overdue = 1
		if r.yielding {
			r.overdue++
		}
		r.yield()
	}
}

// makeLateTicks is called by each turn. It makes the ticks that advance put off.
func (r *Reactor) makeLateTicks() {
	if r.overdue--; r.overdue > 0 {
		r.yield()
		return
	}
	r.makeTicks(min(maxLate, (time.Duration(r.now)-r.ticked)/r.every))
}

func (r *Reactor) makeTicks(n time.Duration) {
	for ; n > 0; n-- {
		r.ticked += r.every
		r.wheel.advance(r.expire)
	}
}

// expire is the wheel's: the reactor must look at s now. Receiving does not move
// a session in the wheel, so it may be too early, and then it is put back.
func (r *Reactor) expire(s *Session) {
	switch s.state {
	case stateHandshake:
		r.stats.HandshakeExpired++
		if s.head == nil {
			r.reset(s) // not a word: nobody to answer
			return
		}
		r.respond(s, protocol.AppendTimeout(nil))
		r.dropHead(s)
	case stateOpen:
		if due, sooner := r.later[s]; sooner {
			r.expireIdentity(s, due)
			return
		}
		r.checkSilence(s)
	case stateClosing:
		r.checkClosing(s)
	case stateDead: // on its way to be buried
	}
}

// expireIdentity looks at a session that is looked at for its identity's sake, before due,
// when it is looked at for its silence.
func (r *Reactor) expireIdentity(s *Session, due uint32) {
	delete(r.later, s)
	if s.who != nil && s.who.Expires != 0 && r.untilExpiry(s) == 0 {
		if s.is(flagWarned) {
			r.stats.Expired++
			r.closeWith(s, ws.StatusPolicyViolation, "the token is over")
			return
		}
		s.set(flagWarned)
		r.warn(s)
	}
	if int32(r.wheel.now-due) >= 0 {
		r.checkSilence(s)
		return
	}
	r.scheduleOpen(s, due)
}

// retick has a tick last another time from now on, and translates what sessions
// have noted in ticks. It costs some 100 ns a session: limits that want another
// tick are changed by an operator, now and then.
func (r *Reactor) retick(every time.Duration) {
	old := r.every
	if every == old {
		return
	}
	r.every = every
	translate := func(ticks uint32) uint32 {
		return uint32((time.Duration(ticks)*old + every - 1) / every)
	}
	now := r.wheel.now
	for _, s := range r.sessions.slots {
		if s == nil {
			continue
		}
		s.lastSeen = now - translate(now-s.lastSeen)
		s.opened = now - translate(now-s.opened)
		if s.state != stateDead {
			r.wheel.schedule(s, now+translate(uint32(max(0, int32(s.due-now)))))
		}
	}
	for s, due := range r.later {
		r.later[s] = now + translate(uint32(max(0, int32(due-now))))
	}
	for s, p := range r.watched {
		p.from = now - translate(now-p.from)
		p.began = now - translate(now-p.began)
		p.until = now + translate(uint32(max(0, int32(p.until-now)))) // a look may be later than it
		r.watched[s] = p
	}
}
