package protocol

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
	"weak"

	"pgregory.net/rapid"
)

// parseNaive is the oracle: Parse in the obvious way, on encoding/json.
func parseNaive(payload []byte, maxGroupBytes int) (c Command, code Code) {
	var m map[string]json.RawMessage
	if !utf8.Valid(payload) || !strings.HasPrefix(strings.TrimLeft(string(payload), " \t\r\n"), "{") ||
		json.Unmarshal(payload, &m) != nil {
		return c, CodeBadJSON
	}
	value := func(key string) any {
		if m[key] == nil {
			return nil
		}
		d := json.NewDecoder(bytes.NewReader(m[key]))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			panic(err)
		}
		return v
	}
	isInt := func(v any) bool {
		n, ok := v.(json.Number)
		return ok && !strings.ContainsAny(string(n), ".eE")
	}
	if raw, ok := m["req_id"]; ok {
		_, isString := value("req_id").(string)
		if !isString && !isInt(value("req_id")) || len(raw) > 256 {
			return c, CodeBadCommand
		}
		c.ReqID = raw
	}
	kinds := map[any]Kind{
		"add_group": KindAddGroup, "leave_group": KindLeaveGroup,
		"send_to_group": KindSendToGroup, "ping": KindPing,
		"auth": KindAuth, "members": KindMembers,
	}
	cmd, ok := value("cmd").(string)
	kind := kinds[cmd]
	switch {
	case !ok || kind == 0:
		return c, CodeBadCommand
	case kind == KindPing:
		c.Kind = kind
		return c, ""
	case kind == KindAuth:
		token, ok := value("token").(string)
		if !ok {
			return Command{ReqID: c.ReqID}, CodeBadCommand
		}
		c.Kind, c.Message, c.IsText = kind, []byte(token), true
		return c, ""
	}
	switch v := value("group_id").(type) {
	case string:
		c.Group = []byte(v)
	case json.Number:
		if isInt(v) {
			c.Group = []byte(v)
		}
		if v == "-0" {
			c.Group = []byte("0")
		}
	}
	if len(c.Group) == 0 || len(c.Group) > maxGroupBytes {
		return Command{ReqID: c.ReqID}, CodeBadGroup
	}
	if kind == KindSendToGroup {
		raw, ok := m["message"]
		if !ok {
			return Command{ReqID: c.ReqID}, CodeBadMessage
		}
		c.Message = raw
		if s, ok := value("message").(string); ok {
			c.Message, c.IsText = []byte(s), true
		}
		if _, ok := m["exclude_self"]; ok {
			if c.ExcludeSelf, ok = value("exclude_self").(bool); !ok {
				return Command{ReqID: c.ReqID}, CodeBadCommand
			}
		}
	}
	if kind == KindMembers && !naivePage(m, value, &c) {
		return Command{ReqID: c.ReqID}, CodeBadCommand
	}
	c.Kind = kind
	return c, ""
}

// naivePage reads which page of members is wanted.
func naivePage(m map[string]json.RawMessage, value func(string) any, c *Command) bool {
	c.Limit = DefaultMembersPage
	if _, ok := m["limit"]; ok {
		number, ok := value("limit").(json.Number)
		if n, err := strconv.Atoi(string(number)); !ok || err != nil || n < 1 || n > MaxMembersPage {
			return false
		} else {
			c.Limit = n
		}
	}
	if raw, ok := m["after"]; ok {
		after, ok := value("after").(string)
		if !ok || len(raw) > MaxAfterBytes {
			return false
		}
		c.After = []byte(after)
	}
	return true
}

func checkCommand(t rapid.TB, p *CommandParser, maxGroupBytes int, payload []byte) {
	t.Helper()
	// The libraries agree but on the depth they accept.
	if bytes.Count(payload, []byte{'['})+bytes.Count(payload, []byte{'{'}) > 4000 {
		return
	}
	want, code := parseNaive(payload, maxGroupBytes)
	// The end of payload is the end of what may be read.
	payload = append(bytes.Clone(payload), `","cmd":"ping"}`...)
	payload = payload[: len(payload)-15 : len(payload)-15]
	before := bytes.Clone(payload)
	var got Command
	err := p.Parse(payload, true, &got)
	if !bytes.Equal(before, payload) {
		t.Fatal("the payload was changed")
	}
	if (err == nil) != (code == "") || err != nil && err.Code != code {
		t.Fatalf("%q: error %v, want %q", payload, err, code)
	}
	if !bytes.Equal(got.ReqID, want.ReqID) {
		t.Fatalf("%q: req_id %q, want %q", payload, got.ReqID, want.ReqID)
	}
	if err != nil {
		return
	}
	if got.Kind != want.Kind || !bytes.Equal(got.Group, want.Group) || !bytes.Equal(got.Message, want.Message) ||
		got.IsText != want.IsText || got.ExcludeSelf != want.ExcludeSelf || got.Limit != want.Limit ||
		!bytes.Equal(got.After, want.After) {
		t.Fatalf("%q:\ngot  %+v\nwant %+v", payload, got, want)
	}
	if !utf8.Valid(got.Group) || !utf8.Valid(got.Message) || !got.IsText && got.Message != nil &&
		!json.Valid(got.Message) {
		t.Fatalf("%q: not fit to be sent: %+v", payload, got)
	}
}

// TestParserForgets: neither a payload nor what was made of it outlives its
// command by being the last one that the parser saw.
func TestParserForgets(t *testing.T) {
	p := NewCommandParser(goldenMaxGroupBytes)
	large := strings.Repeat(`\u00e4`, 20000)
	for name, in := range map[string]string{
		"good":            `{"cmd":"send_to_group","group_id":1,"message":"` + large + `"}`,
		"without escapes": `{"cmd":"send_to_group","group_id":1,"message":"` + strings.Repeat("x", 20000) + `"}`,
		"bad JSON":        `{"cmd":"send_to_group","group_id":1,"message":"` + large + `",}`,
		"bad command":     `{"cmd":"` + large + `"}`,
		"bad group":       `{"cmd":"add_group","group_id":"` + large + `"}`,
		"bad req_id":      `{"cmd":"ping","req_id":"` + large + `"}`,
		"trailing":        `{"cmd":"send_to_group","group_id":1,"message":"` + large + `"} x`,
	} {
		parse := func() (payload, message weak.Pointer[byte]) {
			var c Command
			b := []byte(in)
			_ = p.Parse(b, false, &c)
			if c.Message != nil {
				message = weak.Make(&c.Message[0])
			}
			return weak.Make(&b[0]), message
		}
		payload, message := parse()
		runtime.GC()
		if payload.Value() != nil {
			t.Errorf("%s: the payload is still held", name)
		}
		if message.Value() != nil {
			t.Errorf("%s: the message is still held", name)
		}
	}
	runtime.KeepAlive(p)
}

func FuzzCommand(f *testing.F) {
	for _, c := range golden[commandCase](f, "commands.jsonl") {
		f.Add(c.payload(f))
	}
	p := NewCommandParser(goldenMaxGroupBytes)
	f.Fuzz(func(t *testing.T, payload []byte) {
		checkCommand(t, p, goldenMaxGroupBytes, payload)
	})
}

// TestCommandProperty breaks commands that are well-formed, and often longer
// than a vector register, in a byte or two.
func TestCommandProperty(t *testing.T) {
	value := rapid.Deferred(func() *rapid.Generator[string] { return jsonValue(3) })
	p := NewCommandParser(goldenMaxGroupBytes)
	rapid.Check(t, func(t *rapid.T) {
		var fields []string
		for range rapid.IntRange(0, 6).Draw(t, "fields") {
			key := rapid.SampledFrom([]string{
				`"cmd"`, `"cmd"`, `"group_id"`, `"group_id"`, `"message"`, `"exclude_self"`, `"req_id"`, `"x"`, `"c\u006dd"`,
				`"Cmd"`,
			}).Draw(t, "key")
			v := value.Draw(t, "value")
			if strings.HasPrefix(key, `"c`) && rapid.Bool().Draw(t, "known") {
				v = rapid.SampledFrom([]string{`"add_group"`, `"send_to_group"`, `"send\u005fto_group"`, `"ping"`}).Draw(t, "cmd")
			}
			fields = append(fields, space.Draw(t, "space")+key+space.Draw(t, "space")+":"+v)
		}
		payload := []byte("{" + strings.Join(fields, ",") + "}" + space.Draw(t, "end"))
		checkCommand(t, p, goldenMaxGroupBytes, payload)
		at := rapid.IntRange(0, len(payload)-1).Draw(t, "at")
		with := rapid.OneOf(rapid.SampledFrom([]byte("\"\\{}[],:0-.eEu \x00\x1f")), rapid.Byte()).Draw(t, "with")
		broken := bytes.Clone(payload)
		broken[at] = with
		checkCommand(t, p, goldenMaxGroupBytes, broken)
		checkCommand(t, p, goldenMaxGroupBytes, append(payload[:at:at], payload[at+1:]...))
		checkCommand(t, p, goldenMaxGroupBytes, payload[:at])
	})
}

var space = rapid.StringMatching(`[ \n\r\t]{0,3}`)

// jsonValue generates JSON text.
func jsonValue(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		s := space.Draw(t, "space")
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		if depth == 0 {
			kind = min(kind, 5)
		}
		switch kind {
		case 0:
			return s + rapid.SampledFrom([]string{"true", "false", "null", `""`, "[]", "{}"}).Draw(t, "literal") + s
		case 1:
			return s + rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "number") + s
		case 2, 3:
			return s + rapid.StringMatching(`-?(0|[1-9][0-9]{0,40})`).Draw(t, "integer") + s
		case 4, 5:
			return s + `"` + rapid.StringMatching(`([a-z ]{0,40}|ä|😀|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}|\\ud83d\\ude00){0,8}`).Draw(t, "string") + `"` + s
		case 6, 7:
			return s + "[" + strings.Join(rapid.SliceOfN(jsonValue(depth-1), 1, 5).Draw(t, "array"), ",") + "]" + s
		default:
			all := rapid.SliceOfN(jsonValue(depth-1), 1, 4).Draw(t, "object")
			for i := range all {
				all[i] = `"k\n"` + s + ":" + all[i]
			}
			return s + "{" + strings.Join(all, ",") + "}" + s
		}
	})
}

// TestDecoders runs the golden commands through encoding/json, which is the
// decoder where sonic has no machine code.
func TestDecoders(t *testing.T) {
	p := NewCommandParser(goldenMaxGroupBytes)
	for _, c := range golden[commandCase](t, "commands.jsonl") {
		payload := c.payload(t)
		if !startsObject(payload) || c.InHex != "" {
			continue
		}
		var standard commandFields
		ok := decodeStandard(payload, &standard) != nil
		p.json.release()
		used := p.json.decode(payload)
		if ok != (used != nil) {
			t.Errorf("%s: encoding/json says %v", c.Name, ok)
			continue
		}
		if !ok {
			continue
		}
		for _, pair := range [][2][]byte{
			{standard.Cmd, used.Cmd},
			{standard.GroupID, used.GroupID},
			{standard.Message, used.Message},
			{standard.ExcludeSelf, used.ExcludeSelf},
			{standard.ReqID, used.ReqID},
		} {
			if !bytes.Equal(pair[0], pair[1]) || (pair[0] == nil) != (pair[1] == nil) {
				t.Errorf("%s: encoding/json has %q, in use is %q", c.Name, pair[0], pair[1])
			}
		}
	}
}

// TestCommandDepth sends what has no end of brackets.
func TestCommandDepth(t *testing.T) {
	p := NewCommandParser(8)
	for _, c := range []struct {
		name string
		in   string
		code Code
	}{
		{"deep message", `{"cmd":"send_to_group","group_id":1,"message":` + nest("[", "]", 4000) + `}`, ""},
		{"deep unknown field", `{"cmd":"ping","x":` + nest("[", "]", 4000) + `}`, ""},
		{"deep object", `{"cmd":"send_to_group","group_id":1,"message":` + nest(`{"a":`, "}", 4000) + `}`, ""},
		{"deep both", `{"cmd":"send_to_group","group_id":1,"message":` + nest(`[{"a":`, "}]", 2000) + `}`, ""},
		{"bomb of arrays", `{"cmd":"ping","x":` + nest("[", "]", 1<<20) + `}`, CodeBadJSON},
		{"bomb of arrays, left open", `{"cmd":"ping","x":` + strings.Repeat("[", 1<<20), CodeBadJSON},
		{"bomb of objects, left open", strings.Repeat(`{"cmd":`, 1<<20), CodeBadJSON},
		{"bomb that is no object", strings.Repeat("[", 1<<20), CodeBadJSON},
	} {
		var cmd Command
		err := p.Parse([]byte(c.in), false, &cmd)
		if got := errorCode(err); got != c.code {
			t.Errorf("%s: %q", c.name, got)
		}
		// Whatever it was, the next command is served.
		if err := p.Parse([]byte(`{"cmd":"ping"}`), false, &cmd); err != nil || cmd.Kind != KindPing {
			t.Errorf("after %s: %v", c.name, err)
		}
	}
}

func nest(open, end string, n int) string {
	return strings.Repeat(open, n) + "1" + strings.Repeat(end, n)
}

func errorCode(err *CommandError) Code {
	if err == nil {
		return ""
	}
	return err.Code
}

// TestReqIDLimit is about the edge: 256 bytes of token.
func TestReqIDLimit(t *testing.T) {
	p := NewCommandParser(8)
	for _, c := range []struct {
		token string
		code  Code
	}{
		{`"` + strings.Repeat("x", 254) + `"`, ""},
		{`"` + strings.Repeat("x", 255) + `"`, CodeBadCommand},
		{strings.Repeat("9", 256), ""},
		{strings.Repeat("9", 257), CodeBadCommand},
	} {
		var cmd Command
		err := p.Parse([]byte(`{"cmd":"ping","req_id":`+c.token+`}`), false, &cmd)
		if errorCode(err) != c.code {
			t.Errorf("%d bytes: %v", len(c.token), err)
		}
		if want := err == nil; (cmd.ReqID != nil) != want {
			t.Errorf("%d bytes: req_id %q", len(c.token), cmd.ReqID)
		}
	}
}

// TestParseForgets holds that nothing of one command reaches the next.
func TestParseForgets(t *testing.T) {
	p := NewCommandParser(8)
	for _, full := range []string{
		`{"cmd":"send_to_group","group_id":"\u0061","message":"\u0062","exclude_self":true,"req_id":1}`,
		`{"cmd":"members","group_id":"\u0061","limit":7,"after":"\u0062","req_id":1}`,
	} {
		for _, next := range []string{
			`{}`, `{"cmd":"ping"}`, `{"cmd":"add_group"}`, `{"cmd":"send_to_group","group_id":1}`,
			`x`,
		} {
			var c Command
			if err := p.Parse([]byte(full), false, &c); err != nil {
				t.Fatal(err)
			}
			_ = p.Parse([]byte(next), false, &c)
			if c.Group != nil || c.Message != nil || c.IsText || c.ExcludeSelf || c.ReqID != nil || c.Limit != 0 ||
				c.After != nil {
				t.Errorf("after %s: %+v", next, c)
			}
		}
	}
}

// TestReasonsAreFixed holds that an error has words, which fit into JSON and a
// line of a log as they are.
func TestReasonsAreFixed(t *testing.T) {
	for _, err := range []*CommandError{
		errNotObject, errNotUTF8, errCmd, errReqID, errExcludeSelf,
		errGroupType, errGroupEmpty, errGroupLength, errNoMessage, errLimit, errAfter, errToken,
	} {
		if err.Reason == "" || quotedLen(err.Reason) != len(err.Reason)+2 {
			t.Errorf("%v", err)
		}
	}
}

func TestPretouch(t *testing.T) {
	if err := Pretouch(); err != nil {
		t.Fatal(err)
	}
}

// TestEscapesAtEveryOffset is about sonic's string skipping, which looks at 32
// bytes at a time and at escapes only in what is left over.
func TestEscapesAtEveryOffset(t *testing.T) {
	p := NewCommandParser(256)
	for _, escape := range []string{
		`\0`, `\q`, `\'`, `\u12`, `\u12g4`, `\u123g`, `\u1g23`, `\ug123`, `\u`, `\x41`, "\\\n", "\\\x00", "\x01", `\"`,
		`\\`, `\/`, `\u00e4`, `\ud83d`,
	} {
		for _, form := range []string{
			`{"cmd":"send_to_group","group_id":1,"message":"@"#}`,
			`{"cmd":"send_to_group","group_id":1,"message":["@"]#}`,
			`{"cmd":"send_to_group","group_id":1,"message":{"@":1}#}`,
			`{"cmd":"send_to_group","group_id":"@","message":1#}`,
			`{"cmd":"send_to_group","group_id":1,"message":1,"x":"@"#}`,
			`{"cmd":"send_to_group","group_id":1,"message":1,"@":1#}`,
			`{"cmd":"send_to_group","req_id":"@","group_id":1,"message":1#}`,
			`{"cmd":"@"#}`,
		} {
			for before := range 66 {
				for _, tail := range []string{"", `,"y":"` + strings.Repeat("0", 64) + `"`, strings.Repeat(" ", 64)} {
					s := strings.Replace(form, "@", strings.Repeat("a", before)+escape, 1)
					checkCommand(t, p, 256, []byte(strings.Replace(s, "#", tail, 1)))
				}
			}
		}
	}
}
