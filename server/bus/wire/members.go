package wire

import (
	"cmp"
	"fmt"

	"groupcast/protocol/subject"
)

// MaxMembers bounds the list of one answer.
const MaxMembers = 1000

// MaxUserBytes bounds a user's name: that of the engine, which a test compares.
const MaxUserBytes = 256

// Members asks a node for members of a group.
type Members struct {
	ID    uint64 `json:"id"`
	Group string `json:"group"`
	After string `json:"after,omitempty"` // the session behind which to go on
	Limit int    `json:"limit"`           // how many at most; with 0 they are only counted
}

func (m *Members) check() string {
	if m.Limit < 0 || m.Limit > MaxMembers {
		return fmt.Sprintf("limit: want 0 to %d: got %d", MaxMembers, m.Limit)
	}
	if m.Group == "" {
		return "group: want a name: got none"
	}
	return cmp.Or(tooLong("group", m.Group, subject.MaxNameBytes), checkSession("after", m.After))
}

// MembersAnswer is the answer to it.
type MembersAnswer struct {
	ID     uint64   `json:"id"`
	Total  int      `json:"total"`
	List   []Member `json:"list,omitempty"`
	Next   string   `json:"next,omitempty"`   // the session to go on behind; "" if there are no more
	Failed bool     `json:"failed,omitempty"` // the node could not tell
}

// Member is one session of a group.
type Member struct {
	Session string `json:"session"`
	User    string `json:"user,omitempty"`
}

func (m *MembersAnswer) check() string {
	if len(m.List) > MaxMembers {
		return fmt.Sprintf("list: want %d members at most: got %d", MaxMembers, len(m.List))
	}
	if wrong := belowZero("total", m.Total); wrong != "" {
		return wrong
	}
	for i := range m.List {
		one := &m.List[i]
		if one.Session == "" {
			return "session: want an id: got none"
		}
		if wrong := cmp.Or(checkSession("session", one.Session), tooLong("user", one.User, MaxUserBytes)); wrong != "" {
			return wrong
		}
	}
	return checkSession("next", m.Next)
}

// belowZero is what is wrong with a count, "" if nothing is.
func belowZero(field string, n int) string {
	if n < 0 {
		return fmt.Sprintf("%s: want 0 or more: got %d", field, n)
	}
	return ""
}

// checkSession checks a session's text that may be missing.
func checkSession(field, text string) string {
	if _, _, _, ok := ParseSession(text); !ok && text != "" {
		return fmt.Sprintf("%s: want a session's id: got %s", field, quote(text))
	}
	return ""
}
