package protocol

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"
)

// The golden files are described in testdata/README.md.

// golden reads a file of JSON lines. A field that T does not have fails the
// test: it would be a check that is not made.
func golden[T any](tb testing.TB, file string) []T {
	tb.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	var all []T
	for d.More() {
		var v T
		if err := d.Decode(&v); err != nil {
			tb.Fatalf("%s, record %d: %v", file, len(all)+1, err)
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		tb.Fatalf("%s is empty", file)
	}
	return all
}

func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

type frameCase struct {
	Name            string
	MaxMessageBytes int `json:"max_message_bytes"`
	MaxFragments    int `json:"max_fragments"`
	In              string
	Events          []struct {
		Op   string
		Text *string
		Hex  *string
	}
	Close ws.StatusCode
	Open  bool
}

var opcodes = map[string]ws.OpCode{
	"text": ws.OpText, "binary": ws.OpBinary, "close": ws.OpClose, "ping": ws.OpPing, "pong": ws.OpPong,
}

func TestGoldenFrames(t *testing.T) {
	for _, c := range golden[frameCase](t, "frames.jsonl") {
		t.Run(c.Name, func(t *testing.T) {
			lim := Limits{c.MaxMessageBytes, c.MaxFragments}
			want := outcome{code: c.Close, idle: !c.Open && c.Close == 0}
			for _, e := range c.Events {
				p := []byte{}
				if e.Text != nil {
					p = []byte(*e.Text)
				} else {
					p = append(p, unhex(t, *e.Hex)...)
				}
				want.events = append(want.events, Event{opcodes[e.Op], p})
			}
			in := unhex(t, c.In)
			// Every split: whole, into two at every place, into single bytes.
			for at := range len(in) + 1 {
				got := decodeAll(t, [][]byte{in[:at], in[at:]}, lim)
				got.check(t, want)
			}
			decodeAll(t, slices.Collect(slices.Chunk(in, 1)), lim).check(t, want)
		})
	}
}

func TestGoldenCloses(t *testing.T) {
	type closeCase struct {
		Name  string
		In    string
		Code  ws.StatusCode
		Close ws.StatusCode
	}
	for _, c := range golden[closeCase](t, "closes.jsonl") {
		t.Run(c.Name, func(t *testing.T) {
			code, err := ParseClose(unhex(t, c.In))
			if code != c.Code {
				t.Errorf("code %d, want %d", code, c.Code)
			}
			if got := codeOf(err); got != c.Close {
				t.Errorf("error %d, want %d", got, c.Close)
			}
		})
	}
}

type commandCase struct {
	Name        string
	Binary      bool
	In          string
	InHex       string `json:"in_hex"`
	Cmd         string
	Group       string
	Text        *string
	JSON        *string
	ExcludeSelf bool `json:"exclude_self"`
	Limit       int
	After       string
	ReqID       string `json:"req_id"`
	Error       Code
}

func (c commandCase) payload(tb testing.TB) []byte {
	tb.Helper()
	if c.InHex != "" {
		return unhex(tb, c.InHex)
	}
	return []byte(c.In)
}

// goldenMaxGroupBytes is the limit that commands.jsonl is written for.
const goldenMaxGroupBytes = 32

func TestGoldenCommands(t *testing.T) {
	p := NewCommandParser(goldenMaxGroupBytes)
	for _, c := range golden[commandCase](t, "commands.jsonl") {
		t.Run(c.Name, func(t *testing.T) {
			in := c.payload(t)
			before := bytes.Clone(in)
			var got Command
			err := p.Parse(in, c.Binary, &got)
			if !bytes.Equal(in, before) {
				t.Error("the payload was changed")
			}
			if string(got.ReqID) != c.ReqID {
				t.Errorf("req_id %s, want %s", got.ReqID, c.ReqID)
			}
			if c.Error != "" {
				if err == nil || err.Code != c.Error {
					t.Errorf("error %v, want %s", err, c.Error)
				}
				if got.Kind != 0 {
					t.Errorf("an error and the kind %v", got.Kind)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Kind.String() != c.Cmd {
				t.Errorf("kind %v, want %s", got.Kind, c.Cmd)
			}
			if string(got.Group) != c.Group {
				t.Errorf("group %q, want %q", got.Group, c.Group)
			}
			want := ""
			switch {
			case c.Text != nil:
				want = *c.Text
			case c.JSON != nil:
				want = *c.JSON
			}
			if string(got.Message) != want {
				t.Errorf("message %q, want %q", got.Message, want)
			}
			if got.IsText != (c.Text != nil) {
				t.Errorf("is text: %v", got.IsText)
			}
			if got.ExcludeSelf != c.ExcludeSelf {
				t.Errorf("exclude self: %v", got.ExcludeSelf)
			}
			if got.Limit != c.Limit || string(got.After) != c.After {
				t.Errorf("limit %d, after %q, want %d, %q", got.Limit, got.After, c.Limit, c.After)
			}
		})
	}
}

func TestGoldenReplies(t *testing.T) {
	type replyCase struct {
		Name   string
		Mode   string
		Type   string
		ReqID  string `json:"req_id"`
		Code   Code
		Reason string
		Group  string
		Text   *string
		JSON   *string
		InMs   int64 `json:"in_ms"`
		Page   MembersPage
		Out    string

		Uncovered bool
	}
	for _, c := range golden[replyCase](t, "replies.jsonl") {
		t.Run(c.Name, func(t *testing.T) {
			mode := map[string]Mode{"bare": ModeBare, "envelope": ModeEnvelope}[c.Mode]
			dst := []byte("before")
			switch c.Type {
			case "ack":
				if c.Uncovered {
					dst = AppendUncoveredAck(dst, mode, []byte(c.ReqID))
				} else {
					dst = AppendAck(dst, mode, []byte(c.ReqID))
				}
			case "error":
				dst = AppendError(dst, mode, []byte(c.ReqID), c.Code, c.Reason)
			case "expiring":
				dst = AppendExpiring(dst, c.InMs)
			case "members":
				dst = AppendMembers(dst, mode, []byte(c.ReqID), c.Group, &c.Page)
			case "gap":
				dst = AppendGap(dst, c.Group)
			case "message":
				message := c.JSON
				if c.Text != nil {
					message = c.Text
				}
				dst = AppendMessage(dst, c.Group, []byte(*message), c.Text != nil)
				if n := MessageLen(c.Group, []byte(*message), c.Text != nil); n != len(c.Out) {
					t.Errorf("MessageLen %d, want %d", n, len(c.Out))
				}
			case "user_message":
				message := c.JSON
				if c.Text != nil {
					message = c.Text
				}
				dst = AppendUserMessage(dst, []byte(*message), c.Text != nil)
				if n := UserMessageLen([]byte(*message), c.Text != nil); n != len(c.Out) {
					t.Errorf("UserMessageLen %d, want %d", n, len(c.Out))
				}
			default:
				t.Fatalf("no type %q", c.Type)
			}
			if want := "before" + c.Out; string(dst) != want {
				t.Errorf("got  %s\nwant %s", dst, want)
			}
			if !json.Valid([]byte(c.Out)) {
				t.Error("the golden file is not JSON")
			}
		})
	}
}

type handshakeCase struct {
	Name        string
	In          string
	Status      int
	Accept      string
	Subprotocol string
	Type        string
	Body        *string
}

func TestGoldenHandshakes(t *testing.T) {
	var h Handshaker
	for _, c := range golden[handshakeCase](t, "handshakes.jsonl") {
		t.Run(c.Name, func(t *testing.T) {
			head := []byte(c.In)
			response, res := h.Handshake(head)
			if string(head) != c.In {
				t.Error("the head was changed")
			}
			if res.Status != c.Status {
				t.Fatalf("status %d, want %d\n%s", res.Status, c.Status, response)
			}
			method, _, _ := strings.Cut(c.In, " ")
			r, body := checkResponse(t, response, method, res.Status)
			if c.Body != nil && body != *c.Body {
				t.Errorf("body %q, want %q", body, *c.Body)
			}
			if got := r.Header.Get("Content-Type"); c.Type != "" && got != c.Type {
				t.Errorf("type %q, want %q", got, c.Type)
			}
			if got := r.Header.Get("Sec-WebSocket-Accept"); got != c.Accept {
				t.Errorf("accept %q, want %q", got, c.Accept)
			}
			if got := r.Header.Get("Sec-WebSocket-Protocol"); got != c.Subprotocol {
				t.Errorf("subprotocol %q, want %q", got, c.Subprotocol)
			}
			if res.Upgraded != (res.Status == 101) {
				t.Errorf("upgraded: %v", res.Upgraded)
			}
			if (res.Mode == ModeEnvelope) != (c.Subprotocol == SubprotocolV1) {
				t.Errorf("mode %d", res.Mode)
			}
		})
	}
}

// checkResponse reads a response as a client would, checks what holds for all
// of them, and returns it with its body.
func checkResponse(tb rapid.TB, response []byte, method string, status int) (*http.Response, string) {
	tb.Helper()
	rest := bufio.NewReader(bytes.NewReader(response))
	r, err := http.ReadResponse(rest, &http.Request{Method: method})
	if err != nil {
		tb.Fatalf("%v in %q", err, response)
	}
	var body bytes.Buffer
	if status != 101 {
		if _, err := body.ReadFrom(r.Body); err != nil {
			tb.Fatal(err)
		}
	}
	if n := rest.Buffered(); n > 0 {
		tb.Errorf("%d bytes behind the response %q", n, response)
	}
	if r.StatusCode != status {
		tb.Errorf("status line says %d, result %d", r.StatusCode, status)
	}
	if want := http.StatusText(status); r.Status[4:] != want {
		tb.Errorf("status line %q, want %q", r.Status, want)
	}
	if r.Header.Get("Sec-WebSocket-Extensions") != "" {
		tb.Error("an extension was negotiated")
	}
	if status == 101 {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
			tb.Errorf("101 with %v", r.Header)
		}
		return r, ""
	}
	if !r.Close {
		tb.Error("the response does not say that the connection closes")
	}
	if (r.Header.Get("Content-Length") == "" || r.Header.Get("Content-Type") == "") != (status == 204) {
		tb.Errorf("%d with %v", status, r.Header)
	}
	if method != "HEAD" && status != 204 && body.Len() == 0 {
		tb.Error("no body")
	}
	if is426 := status == 426; (r.Header.Get("Upgrade") == "websocket") != is426 ||
		(r.Header.Get("Sec-WebSocket-Version") == "13") != is426 {
		tb.Errorf("%d with %v", status, r.Header)
	}
	return r, body.String()
}
