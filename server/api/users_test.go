package api

import (
	"net/url"
	"strings"
	"testing"

	"groupcast/loop"
)

// Users get what is published to them, by name in the path, or in a list with and without groups;
// groups of the same name have nothing to do with it.
func TestPublishToUsers(t *testing.T) {
	w := start(t, nil)
	name := "a/b ü"
	m := w.connect()
	id, err := loop.ParseSessionID(w.sessions()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := w.engine.Identify(t.Context(), id, &loop.Identity{User: name}); err != nil {
		t.Fatal(err)
	}
	namesake := w.connect(name, "g")
	w.do("POST", "/v1/users/"+url.PathEscape(name)+"/messages", "by path").order()
	m.want("by path")
	if order := w.post(`{"users":["` + name + `",7],"message":{"a":1}}`).order(); order != 2 {
		t.Errorf("order %d", order)
	}
	m.want(`{"a":1}`)
	if order := w.post(`{"groups":["g","h"],"users":["` + name + `"],"message":"both"}`).order(); order != 5 {
		t.Errorf("order %d", order)
	}
	m.want("both")
	namesake.want("both")
	w.post(`{"users":["` + name + `"],"message":"not you","exclude":["` + id.String() + `"]}`).order()
	w.post(`[{"users":["nobody"],"message":"x"},{"users":["` + name + `"],"message":"in a batch"}]`).want(202)
	m.want("in a batch")
	for user, code := range map[string]string{
		"%FF": codeBadUser, strings.Repeat("x", loop.MaxUserBytes+1): codeBadUser,
	} {
		w.do("POST", "/v1/users/"+user+"/messages", "x").wantCode(422, code)
	}
	w.do("POST", "/v1/users/7/messages", "\xff").wantCode(422, codeNotUTF8)
	w.do("GET", "/v1/users/7/messages", "").wantCode(405, codeNotAllowed)
	m.sync()
	namesake.sync()
}
