package api

import (
	_ "embed"
	"net/http"
	"strconv"
)

// document describes the API, as OpenAPI 3.1. It is written by hand, and the tests
// hold it to the table below: see doc.go.
//
//go:embed openapi.json
var document []byte

// kind is what tells operations apart before they begin.
type kind struct {
	// public is answered to everybody: it wants no token and no origin. It takes no
	// place of MaxInFlight either, which are for those who have shown a token.
	public bool
	// watching is asked by who watches over the server, and has connections of its own
	// when all others are taken.
	watching bool
}

// operation is one request that the API knows.
type operation struct {
	kind

	id     string // as in the document and in the metrics
	carry  carry
	counts classCounts
}

// register makes the table of what the API does.
func (a *API) register() {
	add := func(id, pattern string, k kind, c carry) {
		op := &operation{kind: k, id: id, carry: c}
		a.operations[pattern] = op
		a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			found := w.(*routing) // nothing else asks the mux
			a.perform(op, found.call, found.out, r)
		})
	}
	backend, public := kind{}, kind{public: true}
	health, metrics := kind{public: true, watching: true}, kind{watching: true}

	add("publish-message", "POST /v1/groups/{group}/messages", backend, taking(a, textBody, groupOf, a.publishMessage))
	add("publish-user-message", "POST /v1/users/{user}/messages", backend,
		taking(a, textBody, userOf, a.publishUserMessage))
	add("publish", "POST /v1/publish", backend, taking(a, jsonBody, nothingOf, a.publishBatch))

	add("list-groups", "GET /v1/groups", backend, answering(groupsQueryOf, a.listGroups))
	add("get-group", "GET /v1/groups/{group}", backend, answering(groupOf, a.getGroup))
	add("delete-group", "DELETE /v1/groups/{group}", backend, removing(groupOf, a.deleteGroup))
	add("list-members", "GET /v1/groups/{group}/members", backend, answering(a.membersQueryOf, a.listMembers))
	add("put-member", "PUT /v1/groups/{group}/members/{session}", backend, a.putMember)
	add("delete-member", "DELETE /v1/groups/{group}/members/{session}", backend, doing(a.memberOf, a.deleteMember))

	add("list-sessions", "GET /v1/sessions", backend, answering(a.userQueryOf, a.listSessions))
	add("get-session", "GET /v1/sessions/{session}", backend, answering(a.sessionOf, a.getSession))
	add("delete-session", "DELETE /v1/sessions/{session}", backend, doing(a.closingOf, a.deleteSession))

	add("delete-user-sessions", "DELETE /v1/users/{user}/sessions", backend,
		removing(userClosingOf, a.deleteUserSessions))

	add("get-status", "GET /v1/status", backend, answering(nothingOf, a.getStatus))
	add("get-history", "GET /v1/history", backend, answering(nothingOf, a.getHistory))
	add("healthz", "GET /healthz", health, answering(nothingOf, a.healthz))
	add("readyz", "GET /readyz", health, answering(nothingOf, a.readyz))
	add("metrics", "GET /metrics", metrics, passing(a.getMetrics))
	add("openapi", "GET /openapi.json", public, passing(getDocument))
}

func getDocument(w http.ResponseWriter, _ *http.Request) *problem {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(document)))
	_, _ = w.Write(document) // a client that is gone misses nothing
	return nil
}
