package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"groupcast/loop"
	"groupcast/server/members"
)

// cluster is one that says what a test wants.
type cluster struct {
	page  members.Page
	err   error
	asked []string // group, after; or what is removed
	limit int
	gone  int // what was removed
}

func (c *cluster) CloseUser(_ context.Context, user string, code ws.StatusCode, reason string) (int, []string, error) {
	c.asked = []string{"user", user, fmt.Sprint(code), reason}
	return c.gone, c.page.Silent, c.err
}

func (c *cluster) Dissolve(_ context.Context, group string) (int, []string, error) {
	c.asked = []string{"group", group}
	return c.gone, c.page.Silent, c.err
}

func (c *cluster) CloseSession(_ context.Context, text string, code ws.StatusCode, reason string) error {
	c.asked = []string{"session", text, fmt.Sprint(code), reason}
	return c.err
}

func (c *cluster) Name() string { return "a" }

func (c *cluster) Total(context.Context, string) (total int, silent []string, err error) {
	return c.page.Total, c.page.Silent, c.err
}

func (c *cluster) SessionText(id loop.SessionID) string { return "a.0123abcd." + id.String() }

func (c *cluster) ParseSession(text string) (id loop.SessionID, ours bool, err error) {
	node, rest, long := strings.Cut(text, ".")
	if !long {
		id, err = loop.ParseSessionID(text)
		return id, true, err
	}
	life, short, _ := strings.Cut(rest, ".")
	id, err = loop.ParseSessionID(short)
	return id, node == "a" && life == "0123abcd", err
}

func (c *cluster) Members(_ context.Context, group, after string, limit int) (members.Page, error) {
	c.asked, c.limit = []string{group, after}, limit
	return c.page, c.err
}

// Over several nodes a group has the members of all, and what is not known is said.
func TestMembersOfACluster(t *testing.T) {
	c, f := &cluster{}, &fake{}
	h := fakeAPI(t, f, func(o *Options) { o.Cluster = func() members.Cluster { return c } }).Handler(false)
	const list, count = "/v1/groups/g%2F1/members", "/v1/groups/g%2F1"
	get := func(path string) *answer {
		t.Helper()
		return ask(t, h, request("GET", path, ""))
	}
	c.page = members.Page{
		Total:   3,
		Members: []members.Member{{Session: "a.0123abcd.0-1-1", User: "ada", Node: "a"}, {Session: "b.1-1-1", Node: "b"}},
		Next:    "any text", Silent: []string{"c"},
	}
	got := get(list + "?after=b.x%20y&limit=2").want(200)
	const want = `{"sessions":[{"id":"a.0123abcd.0-1-1","user":"ada","node":"a"},{"id":"b.1-1-1","node":"b"}],` +
		`"total":3,"next":"any text","silent":["c"]}` + "\n"
	if got.body != want || c.limit != 2 || c.asked[0] != "g/1" || c.asked[1] != "b.x y" {
		t.Errorf("got %s for %d of %q", got.body, c.limit, c.asked)
	}
	f.question = loop.ErrNoGroup // of this node's
	if got := get(count).want(200); got.body != `{"name":"g/1","members":3,"silent":["c"]}`+"\n" {
		t.Errorf("got %s", got.body)
	}
	// A node that is silent may have members of it.
	c.page = members.Page{Silent: []string{"c"}}
	if got := get(count).want(200); got.body != `{"name":"g/1","members":0,"silent":["c"]}`+"\n" {
		t.Errorf("got %s", got.body)
	}
	if got := get(list).want(200); got.body != `{"sessions":[],"total":0,"silent":["c"]}`+"\n" {
		t.Errorf("got %s", got.body)
	}
	c.page = members.Page{}
	get(count).wantCode(404, codeNoGroup)
	get(list).wantCode(404, codeNoGroup)
	c.page = members.Page{Total: 1} // the last page
	if got := get(list).want(200); got.body != `{"sessions":[],"total":1}`+"\n" {
		t.Errorf("got %s", got.body)
	}
	c.err = members.ErrAfter
	get(list+"?after=x").wantCode(422, codeBadParameter)
	c.err = context.DeadlineExceeded
	get(list).wantCode(503, codeStalled)
	get(count).wantCode(503, codeStalled)
	c.err = nil
	f.question = errors.New("the loops are ill")
	get(count).wantCode(500, codeInternal)
	get(list + "?limit=1").want(200)
	get(list+"?limit=0").wantCode(422, codeBadParameter)
	get(list+"?limit=1001").wantCode(422, codeBadParameter)
}

// A node that is alone answers as if there were no clusters.
func TestMembersOfANodeAlone(t *testing.T) {
	f := &fake{}
	for name, change := range map[string]func(o *Options){
		"never asked": nil,
		"asked":       func(o *Options) { o.Cluster = func() members.Cluster { return nil } },
	} {
		h := fakeAPI(t, f, change).Handler(false)
		if got := ask(t, h, request("GET", "/v1/groups/g/members", "")).want(200); got.body != `{"sessions":[]}`+"\n" {
			t.Errorf("%s: got %s", name, got.body)
		}
		ask(t, h, request("GET", "/v1/groups/g/members?after=x", "")).wantCode(422, codeBadParameter)
	}
}

// Sessions are closed, and members leave, on all nodes; what may not be done is said.
func TestRemovingOverACluster(t *testing.T) {
	c := &cluster{}
	h := fakeAPI(t, &fake{}, func(o *Options) { o.Cluster = func() members.Cluster { return c } }).Handler(false)
	for _, r := range []struct {
		path, nobody string
		asked        []string
	}{
		{"/v1/users/a%2Fb/sessions?code=4001&reason=bye", codeNoUser, []string{"user", "a/b", "4001", "bye"}},
		{"/v1/groups/g%2F1", codeNoGroup, []string{"group", "g/1"}},
	} {
		remove := func() *answer {
			t.Helper()
			c.asked = nil
			a := ask(t, h, request("DELETE", r.path, ""))
			if !slices.Equal(c.asked, r.asked) {
				t.Errorf("%s: asked for %q", r.path, c.asked)
			}
			return a
		}
		*c = cluster{gone: 3}
		remove().want(204)
		c.gone = 0
		remove().wantCode(404, r.nobody)
		c.page.Silent = []string{"b", "c"} // which may have had some
		if got := remove().want(200); got.body != `{"silent":["b","c"]}`+"\n" {
			t.Errorf("%s: got %s", r.path, got.body)
		}
		c.err = loop.ErrClosed
		remove().wantCode(503, codeDraining)
	}
	*c = cluster{}
	remove := func(id string) *answer {
		t.Helper()
		return ask(t, h, request("DELETE", "/v1/sessions/"+id+"?code=4001&reason=bye", ""))
	}
	remove("b.0123abcd.0-1f-3").want(204)
	if !slices.Equal(c.asked, []string{"session", "b.0123abcd.0-1f-3", "4001", "bye"}) {
		t.Errorf("asked for %q", c.asked)
	}
	c.err = loop.ErrNoSession
	remove("b.0123abcd.0-1f-3").wantCode(404, codeNoSession)
	c.err = members.ErrSilent
	remove("b.0123abcd.0-1f-3").wantCode(503, codeStalled)
	c.asked = nil
	remove("b.0123abcd.x").wantCode(422, codeBadParameter)
	remove("a.0123abcd.0-1f-3").want(204) // this node's own is asked of nobody
	if c.asked != nil {
		t.Errorf("asked for %q", c.asked)
	}
}
