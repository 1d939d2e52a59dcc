package reactor

// Identity is who a session's peer is known to be. It never changes: sessions, and those
// who ask about them, share it, and a session whose peer becomes known as another user gets another one.
// A session without one is anonymous.
type Identity struct {
	User string
}
