package loop

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// SessionID names a session across goroutines: reactor, slot and generation. It
// is never used again while the process lives. The zero value is no session.
type SessionID struct {
	reactor    uint16 // index + 1
	slot       uint32
	generation uint32
}

// ErrBadSessionID is the answer to a text that cannot be a session's name.
var ErrBadSessionID = errors.New("not a session id")

// ParseSessionID reads the textual form.
func ParseSessionID(text string) (SessionID, error) {
	var id SessionID
	parts := strings.Split(text, "-")
	if len(parts) == 3 {
		reactor, err0 := strconv.ParseUint(parts[0], 10, 8)
		slot, err1 := strconv.ParseUint(parts[1], 16, 32)
		generation, err2 := strconv.ParseUint(parts[2], 16, 32)
		id = SessionID{uint16(reactor) + 1, uint32(slot), uint32(generation)}
		// One form for one session: no signs, no zeros in front, no capitals.
		if errors.Join(err0, err1, err2) == nil && id.String() == text {
			return id, nil
		}
	}
	return SessionID{}, ErrBadSessionID
}

// String is the textual form, as in the API: 0-1f-3.
func (id SessionID) String() string {
	return fmt.Sprintf("%d-%x-%x", int(id.reactor)-1, id.slot, id.generation)
}

// MarshalText implements encoding.TextMarshaler.
func (id SessionID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *SessionID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseSessionID(string(text))
	return err
}

// after is the place behind id in the order of a listing: by reactor, then slot.
func (id SessionID) after() (reactor, slot int) {
	if id == (SessionID{}) {
		return 0, 0
	}
	return int(id.reactor) - 1, int(id.slot) + 1
}
