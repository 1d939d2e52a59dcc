package reactor

// Identity is who a session's peer is known to be. It never changes: sessions, and those
// who ask about them, share it, and who becomes known as somebody else gets another one.
// A session without one is anonymous.
type Identity struct {
	User string
}
