package workerman

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// goldenCase is a line of testdata/messages.jsonl, which PHP wrote; testdata/README.md describes it.
type goldenCase struct {
	Name     string
	In       string
	InHex    string `json:"in_hex"`
	Type     string
	Channels []struct {
		Int     bool
		Name    string
		NameHex string `json:"name_hex"`
	}
	Answers []string
	GroupID *goldenValue `json:"group_id"`
	Message *goldenValue
}

type goldenValue struct {
	Kind    string
	Text    string
	TextHex string `json:"text_hex"`
}

func golden(tb testing.TB) (cases []goldenCase) {
	tb.Helper()
	f, err := os.Open("testdata/messages.jsonl")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	for d.More() {
		var c goldenCase
		if err := d.Decode(&c); err != nil {
			tb.Fatalf("record %d: %v", len(cases)+1, err)
		}
		cases = append(cases, c)
	}
	if len(cases) < 100 {
		tb.Fatalf("%d cases", len(cases))
	}
	return cases
}

// bytesOf is text, or what hexadecimal stands for.
func bytesOf(tb testing.TB, text, hexadecimal string) []byte {
	tb.Helper()
	if hexadecimal == "" {
		return []byte(text)
	}
	b, err := hex.DecodeString(hexadecimal)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestGolden(t *testing.T) {
	decoder, again := NewDecoder(DefaultLimits()), NewDecoder(DefaultLimits())
	for _, c := range golden(t) {
		t.Run(c.Name, func(t *testing.T) {
			var m Message
			if err := decoder.Decode(bytesOf(t, c.In, c.InHex), &m); err != nil {
				t.Fatal(err)
			}
			if m.Type.String() != c.Type {
				t.Errorf("type %s, want %s", m.Type, c.Type)
			}
			if len(m.Channels) != len(c.Channels) {
				t.Fatalf("%d channels, want %d", len(m.Channels), len(c.Channels))
			}
			for i, want := range c.Channels {
				// PHP's array key is an integer wherever the name looks like one.
				if got := m.Channels[i]; string(got.Name) != string(bytesOf(t, want.Name, want.NameHex)) || got.IsInt != want.Int {
					t.Errorf("channel %d: %q, want %q", i, got.Name, want.Name)
				}
			}
			for i, answer := range c.Answers {
				got := answerTo(&m, i)
				if want := bytesOf(t, "", answer); string(got) != string(want) {
					t.Errorf("answer %d:\n%q, PHP's is\n%q", i, got, want)
				}
				var back Message
				if err := again.Decode(got[HeaderBytes:], &back); err != nil {
					t.Errorf("decode the answer: %v", err)
				}
			}
			g, isArray := m.Data.GroupMessage()
			if !isArray && (c.GroupID != nil || c.Message != nil) {
				t.Fatal("no array")
			}
			checkValue(t, "group_id", g.Group, c.GroupID)
			checkValue(t, "message", g.Message, c.Message)
		})
	}
}

// answerTo is the frame that a server sends to the subscribers of m's channel i.
func answerTo(m *Message, i int) []byte {
	answer := Message{Type: TypeEvent, Channels: m.Channels[i : i+1], Data: m.Data}
	if m.Type == TypeEnqueue || m.Type == TypeQueue {
		answer.Type = TypeQueue
	}
	return answer.AppendFrame(nil)
}

func checkValue(t *testing.T, name string, got Value, want *goldenValue) {
	t.Helper()
	if want == nil {
		if got.Kind != 0 {
			t.Errorf("%s is there", name)
		}
		return
	}
	if got.Kind == KindReference {
		return // PHP followed it
	}
	kind := map[Kind]string{
		KindNull: "null", KindBool: "bool", KindInt: "int", KindFloat: "float", KindString: "string",
		KindArray: "array",
	}[got.Kind]
	if kind != want.Kind {
		t.Errorf("%s: %s, want %s", name, kind, want.Kind)
	}
	switch got.Kind {
	case KindBool:
		if (string(got.Text) == "1") != (want.Text == "1") {
			t.Errorf("%s: %q, want %q", name, got.Text, want.Text)
		}
	case KindInt, KindString:
		if string(got.Text) != string(bytesOf(t, want.Text, want.TextHex)) {
			t.Errorf("%s: %q, want %q", name, got.Text, want.Text)
		}
	default: // a float may be written otherwise; the others have no text
	}
}
