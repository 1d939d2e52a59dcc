package wire

import (
	"cmp"

	"github.com/gobwas/ws"

	"groupcast/protocol"
	"groupcast/protocol/subject"
)

// Remove asks a node to close a session of its own, or all of a user's that it has, or to have a group's members on
// it leave. One of Session, User and Group is there.
type Remove struct {
	ID      uint64        `json:"id"`
	Session string        `json:"session,omitempty"`
	User    string        `json:"user,omitempty"`
	Group   string        `json:"group,omitempty"`
	Code    ws.StatusCode `json:"code,omitempty"` // of the close frames, and their reason; of a group there is none
	Reason  string        `json:"reason,omitempty"`
}

func (r *Remove) check() string {
	there := 0
	for _, name := range []string{r.Session, r.User, r.Group} {
		if name != "" {
			there++
		}
	}
	if there != 1 {
		return "want a session, a user or a group: got none, or several"
	}
	if r.Group == "" {
		if err := protocol.CheckClose(r.Code, r.Reason); err != nil {
			return "code, reason: " + err.Error()
		}
	}
	return cmp.Or(checkSession("session", r.Session), tooLong("user", r.User, MaxUserBytes),
		tooLong("group", r.Group, subject.MaxNameBytes))
}

// Removed is the answer to it.
type Removed struct {
	ID     uint64 `json:"id"`
	Count  int    `json:"count"`            // sessions that are being closed, or members that have left
	Failed bool   `json:"failed,omitempty"` // it may not have been done, or not for all
}

func (r *Removed) check() string { return belowZero("count", r.Count) }
