package wire

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"
)

// goldenCase is a line of testdata/messages.jsonl, which testdata/README.md describes.
type goldenCase struct {
	Name       string
	Many       bool
	MaxBytes   int `json:"max_bytes"`
	Headers    map[string][]string
	Payload    string
	PayloadHex string `json:"payload_hex"`

	Text    *string
	JSON    *string
	Origin  *goldenPlace
	Exclude []string
	Groups  []string
	Users   []string
	// AsSent says that the headers are those that a writer of such a message writes.
	AsSent  bool     `json:"as_sent"`
	Refusal *Refusal // the answer to a requester, where it is ignored
}

type goldenPlace struct {
	Node, Epoch string
	Order       uint64
}

// golden reads the file. A field that is not known fails the test: it would be a check that
// is not made.
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
		if c.MaxBytes == 0 {
			c.MaxBytes = maxTestBytes
		}
		cases = append(cases, c)
	}
	if len(cases) < 50 {
		tb.Fatalf("%d cases", len(cases))
	}
	return cases
}

func (c *goldenCase) payload(tb testing.TB) []byte {
	tb.Helper()
	if c.PayloadHex == "" {
		return []byte(c.Payload)
	}
	raw, err := hex.DecodeString(c.PayloadHex)
	if err != nil {
		tb.Fatalf("%s: %v", c.Name, err)
	}
	return raw
}

func TestGoldenMessages(t *testing.T) {
	seen := map[Reason]bool{}
	for _, c := range golden(t) {
		t.Run(c.Name, func(t *testing.T) {
			m, b := Read(c.Headers, c.payload(t), c.Many, c.MaxBytes)
			if c.Refusal != nil {
				if b == nil || b.Refusal() != *c.Refusal {
					t.Fatalf("%+v, %+v, want %+v", m, b, *c.Refusal)
				}
				seen[b.Reason] = true
				return
			}
			if b != nil {
				t.Fatal(*b)
			}
			want := Message{Exclude: c.Exclude, Groups: c.Groups, Users: c.Users, IsText: c.Text != nil}
			if c.Text != nil {
				want.Payload = []byte(*c.Text)
			} else {
				want.Payload = []byte(*c.JSON)
			}
			if o := c.Origin; o != nil {
				epoch, ok := ParseEpoch(o.Epoch)
				if !ok {
					t.Fatalf("epoch %q", o.Epoch)
				}
				want.Origin = Place{o.Node, epoch, o.Order}
			}
			if !reflect.DeepEqual(m, want) {
				t.Errorf("%+v, want %+v", m, want)
			}
			if header := m.Header(); c.AsSent && !reflect.DeepEqual(header, c.Headers) {
				t.Errorf("written %v, want %v", header, c.Headers)
			}
		})
	}
	for r := range Reasons {
		// Those are not of headers that NATS has read, and of payloads.
		if !seen[r] && !slices.Contains([]Reason{ReasonControl, ReasonHeader}, r) {
			t.Errorf("no case of %v", r)
		}
	}
}
