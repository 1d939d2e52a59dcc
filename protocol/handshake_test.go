package protocol

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
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

// FuzzHandshake holds whatever is upgraded against net/http, and every answer
// against what must hold for all.
func FuzzHandshake(f *testing.F) {
	for _, c := range golden[handshakeCase](f, "handshakes.jsonl") {
		f.Add([]byte(c.In))
	}
	var h Handshaker
	f.Fuzz(func(t *testing.T, in []byte) {
		end := checkHeadEnd(t, in)
		if end < 0 {
			return
		}
		head := bytes.Clone(in[:end])
		response, res := h.Handshake(head)
		if !bytes.Equal(head, in[:end]) {
			t.Fatal("the head was changed")
		}
		line, _, _ := bytes.Cut(head, []byte{'\n'})
		method, _, _ := strings.Cut(strings.TrimSuffix(string(line), "\r"), " ")
		got, _ := checkResponse(t, response, method, res.Status)

		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
		// A bad length matters to us only with an upgrade; and what is not a
		// path is refused there.
		lower := bytes.ToLower(head)
		if res.Status != 400 && err != nil && strings.HasPrefix(target(line), "/") &&
			!bytes.Contains(lower, []byte("content-length")) && !bytes.Contains(lower, []byte("transfer-encoding")) {
			t.Fatalf("net/http refuses what got %d: %v", res.Status, err)
		}
		if res.Upgraded != (res.Status == 101) {
			t.Fatalf("%+v", res)
		}
		if !res.Upgraded {
			return
		}
		if err != nil || r.Method != "GET" || !r.ProtoAtLeast(1, 1) || r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
			t.Fatalf("upgraded %+v, %v", r, err)
		}
		if len(r.Header["Sec-Websocket-Key"]) != 1 || !slices.Equal(r.Header["Sec-Websocket-Version"], []string{"13"}) ||
			!strings.EqualFold(r.Header.Get("Upgrade"), "websocket") ||
			!strings.Contains(strings.ToLower(r.Header.Get("Connection")), "upgrade") {
			t.Fatalf("upgraded %v", r.Header)
		}
		key := r.Header.Get("Sec-WebSocket-Key")
		if nonce, err := base64.StdEncoding.DecodeString(key); err != nil || len(nonce) != 16 {
			t.Fatalf("upgraded the key %q", key)
		}
		sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		if want := base64.StdEncoding.EncodeToString(sum[:]); got.Header.Get("Sec-WebSocket-Accept") != want {
			t.Fatalf("accept %q, want %q", got.Header.Get("Sec-WebSocket-Accept"), want)
		}
		offered := strings.Split(strings.Join(r.Header["Sec-Websocket-Protocol"], ","), ",")
		v1 := slices.ContainsFunc(offered, func(s string) bool { return strings.Trim(s, " \t") == SubprotocolV1 })
		chosen := got.Header.Values("Sec-WebSocket-Protocol")
		if v1 != (res.Mode == ModeEnvelope) || v1 != slices.Equal(chosen, []string{SubprotocolV1}) || !v1 && chosen != nil {
			t.Fatalf("offered %q, chosen %q, mode %d", offered, chosen, res.Mode)
		}
	})
}

// target returns the second word of a request line.
func target(line []byte) string {
	words := strings.SplitN(string(line), " ", 3)
	if len(words) < 2 {
		return ""
	}
	return words[1]
}

// TestHandshakeOfLargeHead: longer than ws.Upgrader's buffer, in one line and
// in many.
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
			if !bytes.Equal(got, want) || res != wantRes {
				t.Errorf("%s: %q, want %q", c.Name, got, want)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	for status, response := range map[int][]byte{
		408: AppendTimeout([]byte("x")),
		431: AppendTooLarge([]byte("x")),
		503: AppendUnavailable([]byte("x"), 17),
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
