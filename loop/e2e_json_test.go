package loop

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// TestHostileCommands: whatever stands in a message within the limits, it is
// answered with an error, the answer repeats nothing of it, and the
// connection works as before.
func TestHostileCommands(t *testing.T) {
	const secret = "SECRET"
	nested := func(n int, open, value, end string) string {
		return strings.Repeat(open, n) + value + strings.Repeat(end, n)
	}
	_, addr := start(t, nil)
	w, other := open(t, addr), open(t, addr)
	other.join("g")
	for _, test := range []struct{ name, command, code string }{
		{"empty", "", "bad_json"},
		{"space", " \r\n\t", "bad_json"},
		{"garbage", secret, "bad_json"},
		{"null", "null", "bad_json"},
		{"number", "1e400", "bad_json"},
		{"array", `[{"cmd":"ping"}]`, "bad_json"},
		{"string", `"` + secret + `"`, "bad_json"},
		{"cut", `{"cmd":"ping"`, "bad_json"},
		{"comma", `{"cmd":"ping",}`, "bad_json"},
		{"two values", `{"cmd":"ping"}{"cmd":"ping"}`, "bad_json"},
		{"trailing garbage", `{"cmd":"ping"} ` + secret, "bad_json"},
		{"trailing zero", "{\"cmd\":\"ping\"}\x00", "bad_json"},
		{"byte order mark", "\ufeff" + `{"cmd":"ping"}`, "bad_json"},
		{"single quotes", `{'cmd':'ping'}`, "bad_json"},
		{"comment", `{"cmd":"ping"/**/}`, "bad_json"},
		{"raw control character", "{\"cmd\":\"send_to_group\",\"group_id\":\"g\",\"message\":\"\x01\"}", "bad_json"},
		{"bad escape", `{"cmd":"send_to_group","group_id":"g","message":"\x41"}`, "bad_json"},
		{"half an escape", `{"cmd":"send_to_group","group_id":"g","message":"\u12"}`, "bad_json"},
		{"leading zero", `{"cmd":"send_to_group","group_id":"g","message":012}`, "bad_json"},
		{"NaN", `{"cmd":"send_to_group","group_id":"g","message":NaN}`, "bad_json"},
		{"deep arrays", nested(30000, "[", "1", "]"), "bad_json"},
		{"deep open arrays", strings.Repeat("[", 60000), "bad_json"},
		{"deep open objects", strings.Repeat(`{"a":`, 8000), "bad_json"},
		{"deep message", `{"cmd":"send_to_group","group_id":"g","message":` + nested(30000, "[", "", "]") + "}", "bad_json"},
		{"deep unknown field", `{"x":` + nested(8000, `{"a":`, "1", "}") + `,"cmd":"ping"}`, "bad_json"},
		{"no cmd", `{}`, "bad_command"},
		{"unknown cmd", `{"cmd":"` + secret + `"}`, "bad_command"},
		{"cmd of another case", `{"cmd":"Ping"}`, "bad_command"},
		{"key of another case", `{"CMD":"ping"}`, "bad_command"},
		{"cmd null", `{"cmd":null}`, "bad_command"},
		{"cmd number", `{"cmd":1}`, "bad_command"},
		{"last cmd wins", `{"cmd":"ping","cmd":"` + secret + `"}`, "bad_command"},
		{"req_id object", `{"cmd":"ping","req_id":{"a":"` + secret + `"}}`, "bad_command"},
		{"req_id float", `{"cmd":"ping","req_id":1.5}`, "bad_command"},
		{"req_id exponent", `{"cmd":"ping","req_id":1e2}`, "bad_command"},
		{"req_id long", `{"cmd":"ping","req_id":"` + strings.Repeat("1", 255) + `"}`, "bad_command"},
		{
			"exclude_self text", `{"cmd":"send_to_group","group_id":"g","message":"` + secret + `","exclude_self":"true"}`,
			"bad_command",
		},
		{"no group", `{"cmd":"add_group"}`, "bad_group"},
		{"group null", `{"cmd":"add_group","group_id":null}`, "bad_group"},
		{"group true", `{"cmd":"leave_group","group_id":true}`, "bad_group"},
		{"group float", `{"cmd":"add_group","group_id":1.0}`, "bad_group"},
		{"group exponent", `{"cmd":"add_group","group_id":1e2}`, "bad_group"},
		{"group object", `{"cmd":"add_group","group_id":{"` + secret + `":1}}`, "bad_group"},
		{"group empty", `{"cmd":"add_group","group_id":""}`, "bad_group"},
		{"group huge number", `{"cmd":"add_group","group_id":` + strings.Repeat("9", 60000) + `}`, "bad_group"},
		{"no message", `{"cmd":"send_to_group","group_id":"g"}`, "bad_message"},
		{"message of another case", `{"cmd":"send_to_group","group_id":"g","Message":1}`, "bad_message"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
				w.write(frame(fin|byte(op), test.command))
				checkErrorReply(t, w.next(), test.code, secret)
				w.sync()
			}
		})
	}
	w.write(frame(fin|byte(ws.OpBinary), "{\"cmd\":\"ping\",\"x\":\"\xff\"}"))
	checkErrorReply(t, w.next(), "bad_json", "\xff")
	w.sync()
	other.sync()
}

func checkErrorReply(t *testing.T, text, code, secret string) {
	t.Helper()
	var reply struct{ Cmd, Code, Reason string }
	if err := json.Unmarshal([]byte(text), &reply); err != nil {
		t.Fatalf("answered %q: %v", text, err)
	}
	if reply.Cmd != "error" || reply.Code != code || reply.Reason == "" || strings.Contains(text, secret) {
		t.Errorf("answered %s, want error %s", text, code)
	}
}

// TestStrangeCommands: what is odd, but means something.
func TestStrangeCommands(t *testing.T) {
	_, addr := start(t, nil)
	w := open(t, addr)
	w.join("g")
	send := func(message string) string {
		return `{"cmd":"send_to_group","group_id":"g","message":` + message + `}`
	}
	big := strings.Repeat("9", 5000)
	deep := strings.Repeat("[", 1000) + strings.Repeat("]", 1000)
	for _, test := range []struct{ name, command, want string }{
		{"space around", " \r\n\t" + send(`"x"`) + "\n\n", "x"},
		{"escapes", send(`"a\"\\\/\b\f\n\r\t\u00e4\ud83d\ude00"`), "a\"\\/\b\f\n\r\tä😀"},
		{"escaped keys", `{"c\u006dd":"send_to_group","group_i\u0064":"\u0067","message":"x"}`, "x"},
		{"zero byte", send(`"\u0000"`), "\x00"},
		{"half a surrogate", send(`"\ud800"`), "\ufffd"},
		{"surrogates in the wrong order", send(`"\udc00\ud800"`), "\ufffd\ufffd"},
		{"empty text", send(`""`), ""},
		{"null", send("null"), "null"},
		{"huge number", send(big), big},
		{"number that no float holds", send("1e999999"), "1e999999"},
		{"verbatim", send("{ \"b\" : [1 , 2.50],\"a\":\"\\u0041\" }"), "{ \"b\" : [1 , 2.50],\"a\":\"\\u0041\" }"},
		{"duplicate keys, verbatim", send(`{"a":1,"a":2}`), `{"a":1,"a":2}`},
		{"last key wins", `{"message":"no","group_id":"no","cmd":"ping",` + send(`"yes"`)[1:], "yes"},
		{"unknown fields", `{"x":{"cmd":"ping"},"":[],` + send(`"x"`)[1:], "x"},
		{"deep message", send(deep), deep},
		{"minus zero is a group", `{"cmd":"add_group","group_id":-0,"req_id":0}`, ackOf("0")},
		{
			"long number is a group", `{"cmd":"add_group","group_id":` + strings.Repeat("9", 256) + `,"req_id":-0}`,
			ackOf("-0"),
		},
		{"req_id as it came", `{"cmd":"ping","req_id":"\u0041\"\ud800"}`, ackOf(`"\u0041\"\ud800"`)},
		{
			"req_id at its limit", `{"cmd":"ping","req_id":"` + strings.Repeat("1", 254) + `"}`,
			ackOf(`"` + strings.Repeat("1", 254) + `"`),
		},
		{
			"req_id beyond 64 bits", `{"cmd":"ping","req_id":` + strings.Repeat("8", 200) + `}`,
			ackOf(strings.Repeat("8", 200)),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, op := range []ws.OpCode{ws.OpText, ws.OpBinary} {
				w.write(frame(fin|byte(op), test.command))
				got := w.next()
				if got != test.want || !utf8.ValidString(got) {
					t.Errorf("received %.200q, want %.200q", got, test.want)
				}
			}
		})
	}
	w.sync()
}

// TestTooLargeOnceEncoded: U+2028 takes twice its bytes in envelope mode, so
// the largest message of them is refused, in time, to its sender.
func TestTooLargeOnceEncoded(t *testing.T) {
	const limit = 1000
	_, addr := start(t, func(o *Options) { o.MaxMessageBytes = limit })
	w := open(t, addr)
	w.join("g")
	v1 := dial(t, "ws://"+addr, "groupcast.v1")
	v1.send(`{"cmd":"add_group","group_id":"g","req_id":1}`)
	v1.expect(`{"type":"ack","req_id":1}`)
	send := func(n int) {
		w.say(`{"cmd":"send_to_group","group_id":"g","message":"%s","req_id":2}`, strings.Repeat("\u2028", n))
	}
	fits := limit / len(`\u2028`)
	send(fits)
	w.want(strings.Repeat("\u2028", fits), ackOf("2"))
	v1.expect(`{"type":"message","group_id":"g","message":"` + strings.Repeat(`\u2028`, fits) + `"}`)
	send(fits + 1)
	w.wantError("too_large", "2")
	w.sync()
	_, whole := sendOf("g", limit) // what is not escaped may be as large as it comes
	w.say(`{"cmd":"send_to_group","group_id":"g","message":"%s"}`, whole)
	w.want(whole)
	v1.expect(`{"type":"message","group_id":"g","message":"` + whole + `"}`)
}
