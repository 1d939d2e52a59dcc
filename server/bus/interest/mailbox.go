package interest

import "sync"

// mailbox takes what other goroutines tell, without keeping them waiting. What is in it is
// bounded, since later news make earlier ones void.
type mailbox struct {
	mu   sync.Mutex
	mail mail
	news chan struct{} // capacity one
}

// mail is what has come since it was last taken, in this order.
type mail struct {
	marker  uint64 // answered before the connection was gone
	whole   bool
	down    bool // the connection was gone
	up      bool // and is there
	matches []func(hash uint64) bool
	all     bool // of all groups messages were lost
	asks    []countAsk
}

func (m *mailbox) put(note func(*mail)) {
	m.mu.Lock()
	note(&m.mail)
	m.mu.Unlock()
	select {
	case m.news <- struct{}{}:
	default:
	}
}

func (m *mailbox) take() (taken mail) {
	m.mu.Lock()
	defer m.mu.Unlock()
	taken, m.mail = m.mail, mail{}
	return taken
}

// Marked is to be told of each marker that was handed over: whole if all live nodes have
// answered it, else some have not within the wait. Any goroutine.
func (i *Interest) Marked(number uint64, whole bool) {
	i.box.put(func(m *mail) {
		// One that was asked for before the connection was gone means nothing behind that.
		if !m.down && number >= m.marker {
			m.marker, m.whole = number, whole
		}
	})
}

// Down is to be told when the connection is gone: before Up is, and before a marker that was
// written to the next connection is Marked. Any goroutine.
func (i *Interest) Down() {
	i.box.put(func(m *mail) { m.marker, m.down, m.up = 0, true, false })
}

// Up is to be told when there is a connection, the first one too. Any goroutine.
func (i *Interest) Up() { i.box.put(func(m *mail) { m.up = true }) }

// Lost is to be told when messages of some groups were lost: of those whose name's hash
// matches, or of all. match is called from another goroutine, soon. Any goroutine.
func (i *Interest) Lost(match func(hash uint64) bool, all bool) {
	i.box.put(func(m *mail) {
		if all || len(m.matches) == MaxLosses {
			m.matches, m.all = nil, true
		}
		if !m.all {
			m.matches = append(m.matches, match)
		}
	})
}
