package protocol

import (
	"bytes"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// factNames are header fields that somebody asks for.
var factNames = []string{
	"origin", "authorization", "cookie", "sec-websocket-protocol", "x-forwarded-for", "connection", "upgrade", "a", "0000",
}

// checkFacts holds facts against net/http's reading of the same head.
func checkFacts(t rapid.TB, f RequestFacts, r *http.Request) {
	t.Helper()
	path, query, _ := strings.Cut(r.RequestURI, "?")
	if string(f.Path()) != path || string(f.Query()) != query {
		t.Fatalf("%q: path %q, query %q", r.RequestURI, f.Path(), f.Query())
	}
	for _, name := range factNames {
		fields := r.Header[textproto.CanonicalMIMEHeaderKey(name)]
		value, count := f.Field(name)
		if count != len(fields) || count > 0 && string(value) != strings.Trim(fields[0], " \t") {
			t.Fatalf("%s: %q, %d of them; net/http has %q", name, value, count, fields)
		}
		var elements []string
		for e := range f.List(name) {
			elements = append(elements, strings.ToLower(string(e)))
		}
		if want := elementsNaive(fields); !slices.Equal(elements, want) {
			t.Fatalf("%s: %q, want %q", name, elements, want)
		}
	}
}

// factsHead has what an application asks for.
var factsHead = strings.Replace(upgradeHead, "GET / HTTP/1.1\r\n",
	"GET /a%20b?token=x?y&z HTTP/1.1\r\nAuthorization:Bearer x \r\n"+
		"X-Forwarded-For: 192.0.2.1,\r\nCookie: a=b\r\nx-forwarded-for: , 192.0.2.2 ,192.0.2.3\r\nCookie:\r\n", 1)

func TestRequestFacts(t *testing.T) {
	var h Handshaker
	_, res := h.Handshake([]byte(factsHead))
	f := res.Request
	if !res.Upgraded || string(f.Path()) != "/a%20b" || string(f.Query()) != "token=x?y&z" {
		t.Errorf("upgraded %v, path %q, query %q", res.Upgraded, f.Path(), f.Query())
	}
	for name, want := range map[string]struct {
		value string
		count int
	}{
		"authorization":          {"Bearer x", 1},
		"cookie":                 {"a=b", 2},
		"origin":                 {"http://127.0.0.1", 1},
		"origi":                  {"", 0},
		"get /a%20b?token=x?y&z": {"", 0},
	} {
		if value, count := f.Field(name); string(value) != want.value || count != want.count {
			t.Errorf("%s: %q, %d of them", name, value, count)
		}
	}
	addresses := slices.Collect(f.List("x-forwarded-for"))
	if got := string(bytes.Join(addresses, []byte{'|'})); got != "192.0.2.1|192.0.2.2|192.0.2.3" {
		t.Errorf("addresses %s", got)
	}
	for range f.List("x-forwarded-for") {
		break
	}

	for name, head := range map[string]string{
		"malformed":      "GET /path HTTP/1.1\r\nHost: x\r\nOrigin: y\r\nX-A : b\r\n\r\n",
		"behind it":      "GET /path HTTP/1.1\r\nHost: x\r\nOrigin: y\r\n\r\nx",
		"first line bad": "GET /path\r\nHost: x\r\nOrigin: y\r\n\r\n",
	} {
		_, res := h.Handshake([]byte(head))
		_, count := res.Request.Field("origin")
		if res.Status != 400 || res.Request.Path() != nil || res.Request.Query() != nil || count != 0 {
			t.Errorf("%s: status %d, path %q, %d origins", name, res.Status, res.Request.Path(), count)
		}
	}
	// What is refused for other reasons is still known.
	_, res = h.Handshake([]byte("GET /path HTTP/1.1\r\nHost: x\r\nOrigin: y\r\n\r\n"))
	origin, _ := res.Request.Field("origin")
	if res.Status != 426 || string(origin) != "y" || string(res.Request.Path()) != "/path" {
		t.Errorf("status %d, origin %q", res.Status, origin)
	}
}

// askFacts asks for all that an application may want to know.
func askFacts(f RequestFacts) (n int) {
	n = len(f.Path()) + len(f.Query())
	for _, name := range [...]string{"origin", "authorization", "cookie"} {
		_, count := f.Field(name)
		n += count
	}
	for e := range f.List("sec-websocket-protocol") {
		n += len(e)
	}
	for e := range f.List("x-forwarded-for") {
		n += len(e)
	}
	return n
}
