package wire

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"groupcast/loop"
	"groupcast/loop/order"
	"groupcast/protocol/subject"
)

// maxTestBytes is the limit of payloads where it is not what the test is about.
const maxTestBytes = 1 << 16

func TestNoHeaderIsText(t *testing.T) {
	payload := []byte(`{"as":"it is"} `)
	for name, header := range map[string]map[string][]string{
		"nil": nil, "empty": {}, "foreign": {"Nats-Msg-Id": {"1"}, "X-Mode": {"json"}},
		"later":      {"Groupcast-Colour": {"a", "b"}, "Groupcast-Version": {"1.7"}},
		"no value":   {"Groupcast-Mode": nil, "Groupcast-Groups": {}},
		"said":       {"Groupcast-Version": {"1"}, "Groupcast-Mode": {"text"}},
		"empty list": {"Groupcast-Exclude": {""}},
	} {
		m, b := Read(header, payload, false, maxTestBytes)
		want := Message{Payload: payload, IsText: true}
		if b != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("%s: %+v, %v", name, m, b)
		}
		if b == nil && &m.Payload[0] != &payload[0] {
			t.Errorf("%s: the payload was copied", name)
		}
	}
}

func TestTooLarge(t *testing.T) {
	for _, header := range []map[string][]string{nil, {HeaderMode: {"json"}}} {
		if _, b := Read(header, []byte("12345"), false, 5); b != nil {
			t.Errorf("5 of 5 bytes: %v", b)
		}
		_, b := Read(header, []byte("123456"), false, 5)
		if b == nil || b.Reason != ReasonTooLarge || b.Err != "payload: want 5 bytes at most: got 6" {
			t.Errorf("6 of 5 bytes: %v", b)
		}
	}
	at := Place{Node: "b", Epoch: 1, Order: 7}
	want := Message{IsText: true, Origin: at, Groups: []string{"g"}, Users: []string{"u"}}
	if m, b := Read(want.Header(), []byte("123456"), true, 5); b == nil || !reflect.DeepEqual(m, want) {
		t.Errorf("who missed it: %+v, %v", m, b)
	}
}

func TestCountLimits(t *testing.T) {
	list := func(n int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }
	for header, one := range map[string]string{HeaderGroups: "g", HeaderUsers: "u", HeaderExclude: "0-1-1"} {
		for n, want := range map[int]bool{1023: true, 1024: true, 1025: false, 100_000: false} {
			h := map[string][]string{header: {list(n, one)}}
			if header == HeaderExclude {
				h[HeaderGroups] = []string{"g"}
			}
			m, b := Read(h, nil, true, maxTestBytes)
			if !want && (b == nil || b.Reason != ReasonTooMany) {
				t.Errorf("%s of %d: %v", header, n, b)
			}
			if got := max(len(m.Groups), len(m.Users), len(m.Exclude)); want && (b != nil || got != n) {
				t.Errorf("%s of %d: %d, %v", header, n, got, b)
			}
		}
	}
	if MaxGroups != loop.MaxPublicationGroups || MaxUsers != loop.MaxPublicationUsers ||
		MaxExcludes != loop.MaxPublicationExcludes || subject.MaxNameBytes < loop.MaxUserBytes {
		t.Error("a publication has other limits")
	}
}

func TestErrorsRepeatLittle(t *testing.T) {
	long := strings.Repeat("é", 100_000)
	for _, header := range headerNames {
		_, b := Read(map[string][]string{header: {long}}, nil, true, maxTestBytes)
		if b == nil || len(b.Err) > 400 || !strings.HasPrefix(b.Err, header) || !strings.Contains(b.Err, "more") {
			t.Errorf("%s: %v", header, b)
		}
		if b == nil {
			continue
		}
		text := b.Refusal().JSON()
		var back map[string]string
		if err := json.Unmarshal(text, &back); err != nil || back["error"] != b.Reason.String() || back["reason"] != b.Err {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestReasonLabels(t *testing.T) {
	seen := map[string]bool{}
	for r := range Reasons {
		label := r.String()
		if label == "" || seen[label] || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz_8") != "" {
			t.Errorf("reason %d: %q", r, label)
		}
		seen[label] = true
	}
	if got := Reasons.String(); got != "unknown" {
		t.Errorf("no reason: %q", got)
	}
}

func TestNamesWithoutToken(t *testing.T) {
	long := strings.Repeat("x", subject.MaxNameBytes+1)
	m := Message{Groups: []string{long, "a", "", "b", "\xff"}, Users: []string{""}, IsText: true}
	want := map[string][]string{HeaderGroups: {"a,b"}}
	if got := m.Header(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// anyMessage draws a message as Read makes it.
func anyMessage(t *rapid.T, many bool) Message {
	m := Message{IsText: rapid.Bool().Draw(t, "text")}
	if m.IsText {
		m.Payload = []byte(rapid.String().Draw(t, "payload"))
	} else {
		m.Payload, _ = json.Marshal(rapid.MapOf(rapid.String(), rapid.Int()).Draw(t, "payload"))
	}
	if rapid.Bool().Draw(t, "ours") {
		m.Origin = Place{
			rapid.StringMatching(`[A-Za-z0-9_-]{1,32}`).Filter(ValidNode).Draw(t, "node"),
			rapid.Uint64Min(1).Draw(t, "epoch"),
			rapid.Uint64().Draw(t, "order"),
		}
	}
	id := rapid.Custom(func(t *rapid.T) string {
		id := order.NewSessionID(rapid.IntRange(0, 255).Draw(t, "reactor"), rapid.Uint32().Draw(t, "slot"),
			rapid.Uint32().Draw(t, "generation")).String()
		if rapid.Bool().Draw(t, "short") {
			return id
		}
		return SessionText("n-1", rapid.Uint64().Draw(t, "epoch"), id)
	})
	m.Exclude = listOf(t, id, 0)
	if many {
		name := rapid.StringN(1, -1, subject.MaxNameBytes)
		m.Groups = listOf(t, name, 0)
		m.Users = listOf(t, name, 1-min(len(m.Groups), 1))
	}
	return m
}

// listOf is nil, not empty, where there is nothing in it.
func listOf(t *rapid.T, one *rapid.Generator[string], least int) []string {
	return slices.Clip(append([]string(nil), rapid.SliceOfN(one, least, 20).Draw(t, "list")...))
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		many := rapid.Bool().Draw(t, "many")
		m := anyMessage(t, many)
		header := m.Header()
		lists := len(m.Exclude) + len(m.Groups) + len(m.Users)
		if plain := m.IsText && m.Origin == (Place{}) && lists == 0; plain != (header == nil) {
			t.Fatalf("header %v", header)
		}
		got, b := Read(header, m.Payload, many, 1<<20)
		if b != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("%+v, %v, want %+v", got, b, m)
		}
		// In any case of letters, and beside foreign headers.
		other := map[string][]string{"X": {"y", "z"}}
		for key, values := range header {
			if rapid.Bool().Draw(t, "upper") {
				key = strings.ToUpper(key)
			} else {
				key = strings.ToLower(key)
			}
			other[key] = values
		}
		if got, b = Read(other, m.Payload, many, 1<<20); b != nil || !reflect.DeepEqual(got, m) {
			t.Fatalf("other keys: %+v, %v, want %+v", got, b, m)
		}
	})
}

func TestTwoValues(t *testing.T) {
	for i, name := range headerNames {
		good := map[string]string{HeaderVersion: "1", HeaderMode: "text", HeaderOrigin: "a 0000000000000001 1"}[name]
		for title, header := range map[string]map[string][]string{
			"twice":         {name: {good, good}},
			"in two cases":  {name: {good}, strings.ToLower(name): {good}},
			"in two others": {strings.ToUpper(name): {good}, strings.ToLower(name): {good}},
			"lower, twice":  {strings.ToLower(name): {good, good}},
		} {
			_, b := Read(header, nil, true, maxTestBytes)
			if b == nil || b.Reason != headerReasons[i] || b.Err != name+": want one value: got 2" {
				t.Errorf("%s %s: %v", name, title, b)
			}
		}
	}
}

func TestSurrogates(t *testing.T) {
	for _, c := range []struct {
		payload string
		half    bool
		want    string
		isText  bool
	}{
		{` {"a":"\ud83d\ude42\n"} `, false, `{"a":"\ud83d\ude42\n"}`, false},
		{`{"a":"\ud83d"}`, true, `{"a":"\ud83d"}`, false},
		{`"\ude42"`, true, "\ufffd", true},
		{`"\ude42\ude42"`, true, "\ufffd\ufffd", true},
		{`"\ud83dx\ude42"`, true, "\ufffdx\ufffd", true},
		{`"\\ud83d"`, false, `\ud83d`, true},
		{`"\u00e4\/"`, false, `ä/`, true},
		{`"\n\ud83d"`, true, "\n\ufffd", true},
		{`"\ud83d\ude42\ud83d"`, true, "🙂\ufffd", true},
		{`"\ud7ff\ue000\uffff"`, false, "\ud7ff\ue000\uffff", true},
		{`"\ud800\udc00\udbff\udfff"`, false, "\U00010000\U0010ffff", true},
		{`"\ud800"`, true, "\ufffd", true},
		{`"\udfff"`, true, "\ufffd", true},
		{`"\udc00\udc00"`, true, "\ufffd\ufffd", true},
		{`"\ud83d\ue000"`, true, "\ufffd\ue000", true},
		{`"\ud83d\udbff"`, true, "\ufffd\ufffd", true},
	} {
		for from, header := range map[string]map[string][]string{
			"backend": {HeaderMode: {"json"}},
			"node":    {HeaderMode: {"json"}, HeaderOrigin: {"a 0000000000000001 1"}},
		} {
			m, b := Read(header, []byte(c.payload), false, maxTestBytes)
			if from == "backend" && c.half {
				if b == nil || b.Reason != ReasonJSON || !strings.Contains(b.Err, "surrogate") {
					t.Errorf("%s from a backend: %+v, %v", c.payload, m, b)
				}
				continue
			}
			if b != nil || string(m.Payload) != c.want || m.IsText != c.isText {
				t.Errorf("%s from a %s: %q %v, %v", c.payload, from, m.Payload, m.IsText, b)
			}
		}
	}
}

// FuzzRead makes headers of the input: what is accepted is valid and reads back the same.
func FuzzRead(f *testing.F) {
	for _, c := range golden(f) {
		h := func(key string) string { return strings.Join(c.Headers[key], "|") }
		f.Add(h(HeaderVersion), h(HeaderMode), h(HeaderOrigin), h(HeaderExclude), h(HeaderGroups), h(HeaderUsers),
			c.payload(f), c.Many, byte(255))
	}
	f.Fuzz(func(
		t *testing.T, version, mode, origin, exclude, groups, users string, payload []byte, many bool, which byte,
	) {
		header := map[string][]string{}
		for i, value := range []string{version, mode, origin, exclude, groups, users} {
			if which&(1<<i) != 0 && (value != "" || which&(1<<7) == 0) {
				header[headerNames[i]] = strings.Split(value, "|")
			}
		}
		before := bytes.Clone(payload)
		m, b := Read(header, payload, many, maxTestBytes)
		if !bytes.Equal(before, payload) {
			t.Fatal("the payload was written to")
		}
		if b != nil {
			if b.Reason >= Reasons || b.Err == "" || len(b.Err) > 500 || !utf8.ValidString(b.Err) {
				t.Errorf("%+v", b)
			}
			if !reflect.DeepEqual(m, Message{}) {
				t.Errorf("half understood: %+v", m)
			}
			return
		}
		checkMessage(t, m, many)
		again, b := Read(m.Header(), m.Payload, many, maxTestBytes)
		if b != nil || !reflect.DeepEqual(again, m) {
			t.Errorf("%+v, %v, want %+v", again, b, m)
		}
	})
}

func checkMessage(t *testing.T, m Message, many bool) {
	t.Helper()
	if !utf8.Valid(m.Payload) || !m.IsText && !json.Valid(m.Payload) {
		t.Errorf("payload %q", m.Payload)
	}
	if (len(m.Groups)+len(m.Users) > 0) != many || max(len(m.Groups), len(m.Users), len(m.Exclude)) > 1024 {
		t.Errorf("%d groups, %d users, %d excluded", len(m.Groups), len(m.Users), len(m.Exclude))
	}
	for _, name := range slices.Concat(m.Groups, m.Users) {
		if _, err := subject.AppendToken(nil, name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	if (m.Origin.Node == "") != (m.Origin == Place{}) {
		t.Errorf("origin %+v", m.Origin)
	}
}

func TestAllocsRead(t *testing.T) {
	payload := []byte("hello, everybody")
	if got := testing.AllocsPerRun(200, func() {
		if _, b := Read(nil, payload, false, maxTestBytes); b != nil {
			t.Fatal(b)
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
	header := map[string][]string{HeaderOrigin: {"node-a 0123456789abcdef 12345"}}
	if got := testing.AllocsPerRun(200, func() {
		if _, b := Read(header, payload, false, maxTestBytes); b != nil {
			t.Fatal(b)
		}
	}); got != 0 {
		t.Errorf("with an origin: %v allocations", got)
	}
}

func BenchmarkRead(b *testing.B) {
	origin := map[string][]string{HeaderOrigin: {"node-a 0123456789abcdef 12345"}}
	asJSON := maps.Clone(origin)
	asJSON[HeaderMode] = []string{"json"}
	lower := map[string][]string{"groupcast-mode": {"json"}, "Nats-Msg-Id": {"1"}}
	many := maps.Clone(origin)
	many[HeaderUsers] = []string{strings.TrimSuffix(strings.Repeat("user%2E1,", 100), ",")}
	object := []byte(`{"message":"` + strings.Repeat("x", 200) + `","list":[1,2,3]}`)
	for _, c := range []struct {
		name   string
		header map[string][]string
		many   bool
	}{
		{"plain", nil, false},
		{"origin", origin, false},
		{"json", asJSON, false},
		{"lower-case", lower, false},
		{"100-users", many, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, bad := Read(c.header, object, c.many, maxTestBytes); bad != nil {
					b.Fatal(bad)
				}
			}
		})
	}
}
