package order

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// SessionID names a session across goroutines: reactor, slot and generation. It
// is never used again while the process lives. The zero value is no session. (Two
// bytes are free, for the node of a session elsewhere.)
type SessionID struct {
	reactor    uint16 // index + 1
	slot       uint32
	generation uint32
}

// NewSessionID names the session in that slot of the reactor with that index.
func NewSessionID(reactor int, slot, generation uint32) SessionID {
	return SessionID{uint16(reactor) + 1, slot, generation}
}

// Reactor is the index of the session's reactor, -1 for the zero id.
func (id SessionID) Reactor() int { return int(id.reactor) - 1 }

// Slot and Generation are the session's place on its reactor.
func (id SessionID) Slot() uint32 { return id.slot }

// Generation tells the sessions apart that had the slot one after the other.
func (id SessionID) Generation() uint32 { return id.generation }

// ErrBadSessionID is the answer to a text that cannot be a session's name.
var ErrBadSessionID = errors.New("not a session id")

// ParseSessionID reads the textual form.
func ParseSessionID(text string) (SessionID, error) {
	parts := strings.Split(text, "-")
	if len(parts) == 3 {
		reactor, err0 := strconv.ParseUint(parts[0], 10, 8)
		slot, err1 := strconv.ParseUint(parts[1], 16, 32)
		generation, err2 := strconv.ParseUint(parts[2], 16, 32)
		id := SessionID{uint16(reactor) + 1, uint32(slot), uint32(generation)}
		// One form for one session: no signs, no zeros in front, no capitals.
		if errors.Join(err0, err1, err2) == nil && id.String() == text {
			return id, nil
		}
	}
	return SessionID{}, ErrBadSessionID
}

// String is the textual form, as in the API: 0-1f-3.
func (id SessionID) String() string {
	return fmt.Sprintf("%d-%x-%x", id.Reactor(), id.slot, id.generation)
}

// MarshalText implements encoding.TextMarshaler.
func (id SessionID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *SessionID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseSessionID(string(text))
	return err
}
