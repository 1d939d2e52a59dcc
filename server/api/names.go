package api

import (
	"net/http"
	"strings"

	"groupcast/loop"
	"groupcast/server/members"
)

// Sessions' ids. A node that is alone calls a session 0-1f-3. In a cluster it is a.0123abcd.0-1f-3, with
// the node's name and which life of it, and the short form is read as one of this node's.

// sessionInfo is a session as the API shows it: with the id that it has here, in its place.
type sessionInfo struct {
	ID               string `json:"id"`
	loop.SessionInfo        //nolint:embeddedstructfieldcheck // JSON has the id first
}

func (a *API) sessionText(id loop.SessionID) string {
	if c := a.cluster(); c != nil {
		return c.SessionText(id)
	}
	return id.String()
}

// readSession reads a session's id. ours is false for one of another node, or of an earlier life of this
// one: id means nothing here then.
func readSession(c members.Cluster, text string) (id loop.SessionID, ours bool, err error) {
	if c != nil {
		return c.ParseSession(text)
	}
	id, err = loop.ParseSessionID(text)
	return id, true, err
}

// sessionID is the id of one of this node's sessions.
func (a *API) sessionID(v *parameters, location, text string) loop.SessionID {
	c := a.cluster()
	id, ours, ok := readID(c, v, location, text)
	if ok && !ours && v.refused == nil {
		v.refused = elsewhere(c, text)
	}
	return id
}

// readID is readSession where the text is a parameter's. It is to be blamed if it is no session's at all.
func readID(c members.Cluster, v *parameters, location, text string) (id loop.SessionID, ours, ok bool) {
	id, ours, err := readSession(c, text)
	switch {
	case err == nil:
	case c == nil:
		v.blame(location, "wants a session's id, like 0-1f-3")
	default:
		v.blame(location, "wants a session's id, like a.0123abcd.0-1f-3, or 0-1f-3 for one of this node's")
	}
	return id, ours, err == nil
}

// elsewhere is the answer to the id of a session that is none of this node's.
func elsewhere(c members.Cluster, text string) *problem {
	node, _, _ := strings.Cut(text, ".")
	if node == c.Name() {
		return problemf(http.StatusNotFound, codeNoSession, "%v: it was one of this node's before the node was started anew",
			loop.ErrNoSession)
	}
	return problemf(http.StatusConflict, codeOtherNode, "the session is one of node %s: ask that node", node)
}
