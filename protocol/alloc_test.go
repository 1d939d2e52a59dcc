package protocol

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// upgradeHead is what a browser sends, more or less.
const upgradeHead = "GET / HTTP/1.1\r\nHost: 127.0.0.1:1234\r\nConnection: Upgrade\r\nPragma: no-cache\r\n" +
	"Cache-Control: no-cache\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nUpgrade: websocket\r\n" +
	"Origin: http://127.0.0.1\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: groupcast.v1\r\n\r\n"

// splitHead is the same behind a proxy that splits every list.
var splitHead = strings.NewReplacer(
	"Connection: Upgrade\r\n", "Connection: keep-alive\r\nConnection: , Upgrade,\r\n",
	"Upgrade: websocket\r\n", "Upgrade: h2c\r\nUpgrade: websocket\r\n",
	"Protocol: groupcast.v1\r\n", "Protocol: chat\r\nSec-WebSocket-Protocol: groupcast.v1\r\n",
).Replace(upgradeHead)

func wantAllocs(t *testing.T, name string, most float64, f func()) {
	t.Helper()
	if got := testing.AllocsPerRun(200, f); got > most {
		t.Errorf("%s: %v allocations, want %v", name, got, most)
	}
}

func TestAllocsDecoder(t *testing.T) {
	lim := Limits{1 << 16, 4}
	for name, first := range map[string]byte{"text": 0x81, "binary": 0x82, "ping": 0x89} {
		// All frames with a mask of zeros, so that unmasking changes nothing.
		in := clientFrame(first, []byte("0123456789abcdef0123456789abcdef"), [4]byte{})
		in = append(in, in...)
		var d Decoder
		wantAllocs(t, name, 0, func() {
			for rest := in; len(rest) > 0; {
				var ok bool
				if _, rest, ok, _ = d.Next(rest, lim); !ok {
					t.Fatal("no event")
				}
			}
		})
	}
	// In two reads: only the buffer, which is kept for the next message.
	in := clientFrame(0x81, make([]byte, 1000), [4]byte{})
	var d Decoder
	wantAllocs(t, "split", 0, func() {
		_, _, _, _ = d.Next(in[:500], lim)
		if _, _, ok, _ := d.Next(in[500:], lim); !ok {
			t.Fatal("no event")
		}
	})
	bad := []byte{0x81, 0x05}
	wantAllocs(t, "error", 0, func() {
		if _, _, _, err := d.Next(bad, lim); err == nil {
			t.Fatal("no error")
		}
		d.Reset()
	})
	wantAllocs(t, "parseHeader", 0, func() { _, _, _ = parseHeader(in) })
	wantAllocs(t, "ParseClose", 0, func() { _, _ = ParseClose([]byte{3, 0xe8, 'x'}) })
}

// commandSamples are the well-formed commands that must cost no allocation,
// but the largest one, which costs one.
var commandSamples = map[string]string{
	"add":       `{"cmd":"add_group", "group_id":"123"}`,
	"integer":   `{"cmd":"leave_group","group_id":-123}`,
	"send":      `{"cmd":"send_to_group", "group_id":"123", "message":"Dies ist eine Nachricht"}`,
	"escapes":   `{"cmd":"send\u005fto_group","group_id":"a\/b\u00e4","message":"\u4f60\u597d \ud83d\ude00 \"x\"\n","req_id":7}`,
	"JSON":      `{"cmd":"send_to_group","group_id":123,"message":{"a":[1,2,{"b":"\u00e4"}]},"exclude_self":true,"req_id":"r"}`,
	"members":   `{"cmd":"members","group_id":"g","limit":1000,"after":"0-1f-\u0033","req_id":1}`,
	"ping":      `{"cmd":"ping","req_id":"abc"}`,
	"unknown":   `{"v":[{"x":"y"},null,1.5],"cmd":"add_group","w":{"cmd":"x"},"group_id":"g"}`,
	"64 KiB":    `{"cmd":"send_to_group","group_id":"123","message":"` + strings.Repeat("\\u00e4 abc", 6000) + `"}`,
	"duplicate": `{"cmd":"ping","cmd":"add_group","group_id":1,"group_id":2}`,
}

func TestAllocsParse(t *testing.T) {
	if !useSonic {
		t.Skip("encoding/json allocates")
	}
	p := NewCommandParser(256)
	for name, s := range commandSamples {
		payload := []byte(s)
		var c Command
		most := 0.0
		if name == "64 KiB" {
			most = 1
		}
		wantAllocs(t, name, most, func() {
			if err := p.Parse(payload, true, &c); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestAllocsParseScratch: what is unescaped costs one allocation if it is longer
// than the parser's buffer as it stands in the JSON text, else none.
func TestAllocsParseScratch(t *testing.T) {
	if !useSonic {
		t.Skip("encoding/json allocates")
	}
	// The limit to the name's length is not what this is about.
	p := NewCommandParser(1 << 20)
	for name, kept := range map[string]int{"group_id": 4 << 10, "message": 16 << 10} {
		for _, n := range []int{kept - 1, kept, kept + 1, 4 * kept} {
			inside := strings.Repeat("x", n-2)
			payload := strings.Replace(`{"cmd":"send_to_group","group_id":"","message":""}`, name+`":"`,
				name+`":"`+inside+`\n`, 1)
			if name != "group_id" {
				payload = strings.Replace(payload, `"group_id":"`, `"group_id":"123`, 1)
			}
			in := []byte(payload)
			want := 0.0
			if n > kept {
				want = 1
			}
			var c Command
			if got := testing.AllocsPerRun(200, func() {
				if err := p.Parse(in, true, &c); err != nil {
					t.Fatal(err)
				}
			}); got != want {
				t.Errorf("%s of %d: %v allocations, want %v", name, n, got, want)
			}
			unescaped := map[string][]byte{"group_id": c.Group, "message": c.Message}[name]
			if string(unescaped) != inside+"\n" {
				t.Errorf("%s of %d became %d bytes, or others", name, n, len(unescaped))
			}
		}
	}
}

func TestAllocsAppend(t *testing.T) {
	dst := make([]byte, 0, 4096)
	reqID := []byte(`"r"`)
	message := []byte("a \"message\"\n\u2028")
	for name, f := range map[string]func(){
		"AppendAck":         func() { AppendAck(dst, ModeBare, reqID) },
		"AppendUncovered":   func() { AppendUncoveredAck(dst, ModeBare, reqID) },
		"AppendError":       func() { AppendError(dst, ModeEnvelope, reqID, CodeBadGroup, errGroupType.Reason) },
		"AppendMessage":     func() { AppendMessage(dst, "group", message, true) },
		"AppendMessage raw": func() { AppendMessage(dst, "group", message, false) },
		"MessageLen":        func() { MessageLen("group", message, true) },
		"AppendUserMessage": func() { AppendUserMessage(dst, message, true) },
		"AppendFrame":       func() { AppendFrame(dst, ws.OpText, message) },
		"AppendHeader":      func() { AppendHeader(dst, ws.OpText, 70000) },
		"AppendClose":       func() { AppendClose(dst, 1012, "the server restarts") },
		"AppendTooLarge":    func() { AppendTooLarge(dst) },
		"AppendTimeout":     func() { AppendTimeout(dst) },
		"AppendUnavailable": func() { AppendUnavailable(dst, 3, PlainText, "busy\n") },
	} {
		wantAllocs(t, name, 0, f)
	}
}

func TestAllocsHandshake(t *testing.T) {
	head := []byte(upgradeHead)
	var h Handshaker
	wantAllocs(t, "upgrade", 0, func() {
		if _, res := h.Handshake(head); !res.Upgraded || res.Mode != ModeEnvelope {
			t.Fatal(res)
		}
	})
	split := []byte(splitHead)
	wantAllocs(t, "upgrade, lists in many fields", 0, func() {
		if _, res := h.Handshake(split); !res.Upgraded || res.Mode != ModeEnvelope {
			t.Fatal(res)
		}
	})
	facts := []byte(factsHead)
	wantAllocs(t, "upgrade, and all its facts", 0, func() {
		if _, res := h.Handshake(facts); !res.Upgraded || askFacts(res.Request) != 60 {
			t.Fatal(res.Status, askFacts(res.Request))
		}
	})
	plain := []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	wantAllocs(t, "refusal", 0, func() {
		if _, res := h.Handshake(plain); res.Status != 426 {
			t.Fatal(res)
		}
	})
	browser := []byte("GET / HTTP/1.1\r\nHost: x\r\nAccept: application/xml;q=0.9, text/html;q=0.8\r\n\r\n")
	wantAllocs(t, "page for browsers", 0, func() {
		if response, res := h.Handshake(browser); res.Status != 200 || len(response) > 4<<10 {
			t.Fatal(res, len(response)) // larger ones are not kept by reactors
		}
	})
	part := bytes.Repeat([]byte("X-A: b\r\n"), 500)
	wantAllocs(t, "HeadEnd", 0, func() { HeadEnd(part, 0) })
}
