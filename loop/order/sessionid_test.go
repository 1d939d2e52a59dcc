package order

import (
	"encoding/json"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// TestSessionID: the text of every id is read back as that id, and no other
// text is read.
func TestSessionID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := SessionID{
			rapid.Uint16Range(1, 256).Draw(t, "reactor"), rapid.Uint32().Draw(t, "slot"),
			rapid.Uint32().Draw(t, "generation"),
		}
		if got, err := ParseSessionID(id.String()); err != nil || got != id {
			t.Fatalf("%v becomes %v, %v", id, got, err)
		}
		b, err := json.Marshal(id)
		var got SessionID
		if err = errors.Join(err, json.Unmarshal(b, &got)); err != nil || got != id {
			t.Fatalf("%v becomes %s in JSON, and then %v, %v", id, b, got, err)
		}
	})
	for _, text := range []string{
		"", "-", "--", "0-1", "0-1-1-1", "0-1-", "256-0-1", "-1-0-1", "+0-0-1", "00-0-1", "0-01-1", "0-A-1", "0-100000000-1",
		"0-0-100000000", " 0-0-1", "0-0-1\n", "0_1-0-1", "0x0-0-1",
	} {
		if id, err := ParseSessionID(text); !errors.Is(err, ErrBadSessionID) {
			t.Errorf("%q is %v, %v", text, id, err)
		}
	}
}
