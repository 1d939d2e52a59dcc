package protocol

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"
)

// headEndNaive is the oracle of HeadEnd: it reads lines, as net/http does.
func headEndNaive(b []byte) int {
	end := 0
	for first := true; ; first = false {
		line, rest, found := bytes.Cut(b[end:], []byte{'\n'})
		if !found {
			return -1
		}
		end = len(b) - len(rest)
		if !first && (len(line) == 0 || string(line) == "\r") {
			return end
		}
	}
}

func checkHeadEnd(t *testing.T, in []byte) int {
	t.Helper()
	want := headEndNaive(in)
	if got := HeadEnd(in, 0); got != want {
		t.Fatalf("%q: %d, want %d", in, got, want)
	}
	// As a loop does it: each time only what is new, and a little more.
	for from := 0; from <= len(in); from++ {
		if want >= 0 && from >= want {
			break
		}
		if got := HeadEnd(in, from); got != want {
			t.Fatalf("%q from %d: %d, want %d", in, from, got, want)
		}
		if got := HeadEnd(in[:from], 0); got != -1 {
			t.Fatalf("%q: %d", in[:from], got)
		}
	}
	return want
}

func TestHeadEnd(t *testing.T) {
	for _, in := range []string{
		"", "\n", "\r\n", "\r\n\r", "\r\n\r\n", "\n\n", "\n\r\n", "\r\n\n", "a\r\n\r\nb", "a\n\nb", "a\n\r\nb", "a\r\n\nb",
		"a\r\r\n\r\r\nb", "a\nb\n\r\r\n", "a\r\nb\r\n\r\n\r\n", "a\n\rb\n",
	} {
		checkHeadEnd(t, []byte(in))
	}
}

// elementsNaive is the list that several fields make (RFC 9110, 5.3), as
// net/http read them, in lower case.
func elementsNaive(fields []string) (all []string) {
	for element := range strings.SplitSeq(strings.Join(fields, ","), ",") {
		if element = strings.Trim(element, " \t"); element != "" {
			all = append(all, strings.ToLower(element))
		}
	}
	return all
}

var (
	tokens    = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9a-z-]+$")
	protocols = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9a-z-]+(/[!#$%&'*+.^_`|~0-9a-z-]+)?$")
	// plainHeads are those about which Handshake has to agree with net/http
	// even where it may refuse: nothing is folded or out of the ordinary.
	plainHeads = regexp.MustCompile("^[A-Z]+ /[a-z]* HTTP/1\\.[01]\r?\n([A-Za-z-]+:[\t -~]*\r?\n)*\r?\n$")
	hostLines  = regexp.MustCompile("(?im)^host:")
)

// htmlRanges are the elements of an Accept field that name text/html, with a weight or other
// parameters behind it; nothingRanges those that say not to send it.
var (
	htmlRanges    = regexp.MustCompile("^text/html[ \t]*(;.*)?$")
	nothingRanges = regexp.MustCompile(";[ \t]*q=[0.]+[ \t]*(;|$)")
)

func acceptsHTMLNaive(fields []string) bool {
	return slices.ContainsFunc(elementsNaive(fields), func(s string) bool {
		return htmlRanges.MatchString(s) && !nothingRanges.MatchString(s)
	})
}

// statusNaive is the oracle of Handshake, on what net/http made of the head.
func statusNaive(r *http.Request) int {
	others := func(list []string, valid *regexp.Regexp) bool {
		return slices.ContainsFunc(list, func(s string) bool { return !valid.MatchString(s) })
	}
	upgrade, connection := elementsNaive(r.Header["Upgrade"]), elementsNaive(r.Header["Connection"])
	if !slices.Contains(upgrade, "websocket") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		switch {
		case r.Method != "GET" && r.Method != "HEAD":
		case path == "/healthz", path == "/" && len(r.Header["Upgrade"]) == 0 && acceptsHTMLNaive(r.Header["Accept"]):
			return 200
		case path == "/favicon.ico":
			return 204
		}
		return 426
	}
	keys, versions := r.Header["Sec-Websocket-Key"], r.Header["Sec-Websocket-Version"]
	nonce, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	switch {
	case r.Method != "GET" || !r.ProtoAtLeast(1, 1):
		return 426
	case len(keys) > 1 || len(versions) > 1 || r.RequestURI[0] != '/' || len(r.TransferEncoding) > 0 ||
		slices.ContainsFunc(r.Header["Content-Length"], func(s string) bool { return s != "0" }):
		return 400
	case len(versions) == 1 && versions[0] != "13":
		return 426
	case len(versions) == 0 || err != nil || len(nonce) != 16 || others(upgrade, protocols) ||
		others(connection, tokens) || !slices.Contains(connection, "upgrade"):
		return 400
	}
	return 101
}

// upgradeNaive is the response that ws.Upgrader writes to an upgrade in its
// simplest form.
func upgradeNaive(tb rapid.TB, key string, envelope bool) string {
	tb.Helper()
	head := "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: " + key + "\r\n"
	if envelope {
		head += "Sec-WebSocket-Protocol: " + SubprotocolV1 + "\r\n"
	}
	var out bytes.Buffer
	u := ws.Upgrader{Protocol: func([]byte) bool { return true }}
	if _, err := u.Upgrade(struct {
		io.Reader
		io.Writer
	}{strings.NewReader(head + "\r\n"), &out}); err != nil {
		tb.Fatal(err)
	}
	return out.String()
}

// FuzzHandshake holds verdicts against net/http's reading of the head, upgrades
// against ws.Upgrader's, and every answer against what must hold for all.
func FuzzHandshake(f *testing.F) {
	for _, c := range golden[handshakeCase](f, "handshakes.jsonl") {
		f.Add([]byte(c.In))
	}
	var h Handshaker
	f.Fuzz(func(t *testing.T, in []byte) {
		if end := checkHeadEnd(t, in); end >= 0 {
			checkHandshake(t, &h, in[:end])
		}
	})
}

// checkHandshake checks the answer to a head and returns its status.
func checkHandshake(t rapid.TB, h *Handshaker, in []byte) (status int) {
	t.Helper()
	head := bytes.Clone(in)
	response, res := h.Handshake(head)
	if !bytes.Equal(head, in) {
		t.Fatal("the head was changed")
	}
	line, _, _ := bytes.Cut(head, []byte{'\n'})
	method, _, _ := strings.Cut(strings.TrimSuffix(string(line), "\r"), " ")
	checkResponse(t, response, method, res.Status)
	if res.Upgraded != (res.Status == 101) {
		t.Fatalf("%+v", res)
	}
	if inspected := Inspect(head); !reflect.DeepEqual(inspected, res) {
		t.Fatalf("Inspect says %+v, Handshake %+v", inspected, res)
	}

	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err == nil && res.Status != 400 {
		checkFacts(t, res.Request, r)
	}
	if err != nil {
		// A bad length matters to us only with an upgrade; and what is not
		// a path is refused there.
		lower := bytes.ToLower(head)
		if res.Upgraded || res.Status != 400 && strings.HasPrefix(target(line), "/") &&
			!bytes.Contains(lower, []byte("content-length")) && !bytes.Contains(lower, []byte("transfer-encoding")) {
			t.Fatalf("net/http refuses what got %d: %v", res.Status, err)
		}
		return res.Status
	}
	want := statusNaive(r)
	if hosts := len(hostLines.FindAll(head, -1)); hosts > 1 || hosts == 0 && r.ProtoAtLeast(1, 1) {
		want = 400
	}
	if res.Status != want && (res.Status != 400 || plainHeads.Match(head)) {
		t.Fatalf("%d, want %d of %q and %v", res.Status, want, head, r.Header)
	}
	if !res.Upgraded {
		return res.Status
	}
	offered := strings.Split(strings.Join(r.Header["Sec-Websocket-Protocol"], ","), ",")
	v1 := slices.ContainsFunc(offered, func(s string) bool { return strings.Trim(s, " \t") == SubprotocolV1 })
	if v1 != (res.Mode == ModeEnvelope) {
		t.Fatalf("offered %q, mode %d", offered, res.Mode)
	}
	if want := upgradeNaive(t, r.Header.Get("Sec-WebSocket-Key"), v1); string(response) != want {
		t.Fatalf("%q, ws.Upgrader writes %q", response, want)
	}
	return res.Status
}

// TestHandshakeLists spreads lists over fields and lines, as proxies may.
func TestHandshakeLists(t *testing.T) {
	lists := []struct {
		name string
		// good are what may be in an upgrade, bad what may rather not.
		good, bad []string
	}{
		{"Connection", []string{"Upgrade", "upgrade", "keep-alive", ""}, []string{"a b", `"x`, "Up"}},
		{"Upgrade", []string{"websocket", "WebSocket", "h2c", "TLS/1.0", ""}, []string{"websocket/13", "a/", "(x)"}},
		{"Sec-WebSocket-Protocol", []string{SubprotocolV1, "Groupcast.v1", "chat", ""}, []string{"a b"}},
		{"Sec-WebSocket-Extensions", []string{"permessage-deflate", ""}, []string{`a; b="c`}},
		{"Content-Length", nil, []string{"0", "5"}},
		{"Transfer-Encoding", nil, []string{"chunked"}},
	}
	space := rapid.SampledFrom([]string{"", "", " ", "\t", " \t "})
	upgrades := 0
	rapid.Check(t, func(t *rapid.T) {
		lines := []string{"Host: x", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"}
		for _, l := range lists {
			elements := l.good
			if rapid.IntRange(0, 9).Draw(t, "with bad") == 0 {
				elements = slices.Concat(l.good, l.bad)
			}
			if elements == nil {
				continue
			}
			line := ""
			for range rapid.IntRange(1, 4).Draw(t, "elements") {
				switch {
				case line == "":
					line = l.name + ":"
				case rapid.Bool().Draw(t, "split"):
					lines = append(lines, line)
					line = l.name + ":"
				default:
					line += ","
				}
				line += space.Draw(t, "before") + rapid.SampledFrom(elements).Draw(t, "element") + space.Draw(t, "behind")
			}
			lines = append(lines, line)
		}
		head := "GET / HTTP/1.1\r\n" + strings.Join(rapid.Permutation(lines).Draw(t, "lines"), "\r\n") + "\r\n\r\n"
		var h Handshaker
		if checkHandshake(t, &h, []byte(head)) == 101 {
			upgrades++
		}
	})
	if upgrades == 0 {
		t.Error("nothing was upgraded")
	}
	t.Logf("%d upgrades", upgrades)
}

// target returns the second word of a request line.
func target(line []byte) string {
	words := strings.SplitN(string(line), " ", 3)
	if len(words) < 2 {
		return ""
	}
	return words[1]
}

// TestHandshakeOfLargeHead: in one line and in many.
func TestHandshakeOfLargeHead(t *testing.T) {
	var h Handshaker
	for name, extra := range map[string]string{
		"one line":   "Cookie: " + strings.Repeat("x", 7000) + "\r\n",
		"many lines": strings.Repeat("X-A: "+strings.Repeat("x", 100)+"\r\n", 70),
	} {
		head := strings.Replace(upgradeHead, "\r\n\r\n", "\r\n"+extra+"\r\n", 1)
		if _, res := h.Handshake([]byte(head)); !res.Upgraded {
			t.Errorf("%s: %+v", name, res)
		}
	}
}

// TestHandshakerForgets: an answer must not have parts of the one before.
func TestHandshakerForgets(t *testing.T) {
	cases := golden[handshakeCase](t, "handshakes.jsonl")
	var used Handshaker
	for range 2 {
		for _, c := range cases {
			var fresh Handshaker
			want, wantRes := fresh.Handshake([]byte(c.In))
			got, res := used.Handshake([]byte(c.In))
			if !bytes.Equal(got, want) || !reflect.DeepEqual(res, wantRes) {
				t.Errorf("%s: %q, want %q", c.Name, got, want)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	for status, response := range map[int][]byte{
		403: AppendForbidden([]byte("x")),
		408: AppendTimeout([]byte("x")),
		431: AppendTooLarge([]byte("x")),
		503: AppendUnavailable([]byte("x"), 17, PlainText, "at the limit\n"),
	} {
		if response[0] != 'x' {
			t.Errorf("%d: dst was overwritten", status)
		}
		r, _ := checkResponse(t, response[1:], "GET", status)
		want := ""
		if status == 503 {
			want = "17"
		}
		if got := r.Header.Get("Retry-After"); got != want {
			t.Errorf("%d: Retry-After %q", status, got)
		}
	}
}
