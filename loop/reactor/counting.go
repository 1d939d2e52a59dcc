package reactor

import "groupcast/loop/budget"

// Counting what sessions hold, and telling it.

// tellMemory ends whatever may have changed what sessions hold. It tells the budget once it
// is worth telling.
func (r *Reactor) tellMemory() {
	moved := r.memory.sum(r.stats.BacklogSessions) - r.memory.toldSum
	if moved >= budget.TellBytes || moved <= -budget.TellBytes {
		r.tellMemoryNow()
	}
}

func (r *Reactor) tellMemoryNow() {
	m := &r.memory
	sum := m.sum(r.stats.BacklogSessions)
	grown := sum > m.toldSum
	m.toldSum = sum
	m.told.backlogs.Store(m.backlogs)
	m.told.halves.Store(m.halves)
	m.told.sealed.Store(m.sealed)
	m.told.secured.Store(m.secured)
	m.told.blocked.Store(int64(r.stats.BacklogSessions))
	m.told.shed.Store(m.shed)
	m.told.acks.Store(m.acks)
	if grown {
		r.shared.Budget.Grown()
	}
}

// Memory is for any goroutine.
func (r *Reactor) Memory() Memory {
	told, blocked := &r.memory.told, r.memory.blockedBytes
	return Memory{
		Backlogs: told.backlogs.Load() + told.acks.Load(),
		Halves:   told.halves.Load(),
		TLS:      told.sealed.Load() + told.secured.Load()*SecuredBytes,
		Kernel:   told.blocked.Load() * blocked,
		Leaving:  told.shed.Load() * blocked,
	}
}

// countHalf counts what a session's decoder holds of a message, until uncountHalf.
func (r *Reactor) countHalf(s *Session) {
	s.set(flagHalf)
	r.memory.halves += int64(s.decoder.Held())
}

func (r *Reactor) uncountHalf(s *Session) {
	if s.is(flagHalf) {
		s.clear(flagHalf)
		r.memory.halves -= int64(s.decoder.Held())
	}
}
