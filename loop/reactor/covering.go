package reactor

// What an engine has a loop do about the groups that the bus covers. All but TickAcks and
// AcksWaiting is run on the loop.

// AcksWaiting is how many acks of joins wait here. For any goroutine.
func (r *Reactor) AcksWaiting() int { return int(r.acksWaiting.Load()) }

// CoverGroups sends the acks that wait for these groups, where they are covered still.
func (r *Reactor) CoverGroups(groups []string) {
	for _, group := range groups {
		r.lookAgain(group)
	}
	r.settle()
}

// ChangeCoverage sends the acks that wait, as far as what is believed of the bus now settles
// what they say.
func (r *Reactor) ChangeCoverage() {
	r.lookAtAllAgain()
	r.settle()
}

// WithMembers returns which of the groups have members here.
func (r *Reactor) WithMembers(groups []string) []bool {
	found := make([]bool, len(groups))
	for i, group := range groups {
		found[i] = r.groups.find(group) != nil
	}
	return found
}

// TickAcks has the loop look for acks that have waited for long enough, if any wait, unless it
// has not got to the last look. It is for the engine's clock, from its goroutine.
func (r *Reactor) TickAcks() (waiting bool) {
	if r.AcksWaiting() == 0 {
		return false
	}
	if r.ackTicking.CompareAndSwap(false, true) {
		// An error means that the loop is gone.
		_ = r.execute(r.onAckTick)
	}
	return true
}

// expireAcks is what TickAcks brings.
func (r *Reactor) expireAcks() {
	r.ackTicking.Store(false)
	r.releaseUntil(r.now, &r.stats.JoinsTimedOut)
	r.settle()
}
