package subject

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// goldenCase is a line of testdata/subjects.jsonl, which testdata/README.md describes.
type goldenCase struct {
	Name     string
	Group    string
	GroupHex string `json:"group_hex"`
	Token    string
	Subject  string
	MQTT     string
	BadGroup bool `json:"bad_group"`
	BadToken bool `json:"bad_token"`
}

// golden reads the file. A field that is not known fails the test: it would be a check that
// is not made.
func golden(tb testing.TB) (cases []goldenCase) {
	tb.Helper()
	f, err := os.Open("testdata/subjects.jsonl")
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
		if c.GroupHex != "" {
			raw, err := hex.DecodeString(c.GroupHex)
			if err != nil {
				tb.Fatalf("%s: %v", c.Name, err)
			}
			c.Group = string(raw)
		}
		cases = append(cases, c)
	}
	if len(cases) < 80 {
		tb.Fatalf("%d cases", len(cases))
	}
	return cases
}

func TestGolden(t *testing.T) {
	p, err := ParsePrefix(DefaultPrefix)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range golden(t) {
		t.Run(c.Name, func(t *testing.T) {
			const before = "before"
			switch {
			case c.BadGroup:
				for _, got := range both(AppendToken[string], AppendToken[[]byte], c.Group) {
					if !errors.Is(got.err, ErrName) || got.text != before {
						t.Errorf("token %q, %v", got.text, got.err)
					}
				}
				got, err := Append([]byte(before), p, KindGroup, c.Group)
				if !errors.Is(err, ErrName) || string(got) != before {
					t.Errorf("subject %q, %v", got, err)
				}
			case c.BadToken:
				for _, got := range both(AppendName[string], AppendName[[]byte], c.Token) {
					if !errors.Is(got.err, ErrToken) || got.text != before {
						t.Errorf("name %q, %v", got.text, got.err)
					}
				}
			default:
				for _, got := range both(AppendToken[string], AppendToken[[]byte], c.Group) {
					if got.err != nil || got.text != before+c.Token {
						t.Errorf("token %q, %v, want %q", got.text, got.err, c.Token)
					}
				}
				for _, got := range both(AppendName[string], AppendName[[]byte], c.Token) {
					if got.err != nil || got.text != before+c.Group {
						t.Errorf("name %q, %v, want %q", got.text, got.err, c.Group)
					}
				}
				got, err := Append([]byte(before), p, KindGroup, c.Group)
				if err != nil || string(got) != before+c.Subject {
					t.Errorf("subject %q, %v, want %q", got, err, c.Subject)
				}
				if k, token, ok := Cut(p, c.Subject); !ok || k != KindGroup || token != c.Token {
					t.Errorf("cut into %c and %q, %v", k, token, ok)
				}
				if topic := topicOf(c.Subject); topic != c.MQTT {
					t.Errorf("topic %q, want %q", topic, c.MQTT)
				}
			}
		})
	}
}

// result is what a function appended behind "before", and its error.
type result struct {
	text string
	err  error
}

// both calls a function in its two forms.
func both(
	ofString func([]byte, string) ([]byte, error), ofBytes func([]byte, []byte) ([]byte, error), input string,
) [2]result {
	a, errA := ofString([]byte("before"), input)
	b, errB := ofBytes([]byte("before"), []byte(input))
	return [2]result{{string(a), errA}, {string(b), errB}}
}

// topicOf is NATS's translation of a subject into an MQTT topic: two slashes are a dot, a
// slash and a dot or a dot and a slash are one slash, and a dot is a slash. So without any slash in the
// subject it is plain.
func topicOf(subject string) string {
	topic := []byte(subject)
	for i, c := range topic {
		switch c {
		case '.':
			topic[i] = '/'
		case '/', ' ', '+', '#', 0x7f:
			return "not plain"
		}
	}
	return string(topic)
}
