package wire

import (
	"bytes"
	"encoding/json"
)

// Reply is what a requester is answered by each node that published its message. A node that has
// nobody for it answers order 0.
type Reply struct {
	Node  string `json:"node"`
	Epoch string `json:"epoch"` // 16 hexadecimal digits
	Order uint64 `json:"order"`
}

// Refusal is what a requester is answered whose message was not published.
type Refusal struct {
	Error  string `json:"error"`  // a code for programs
	Reason string `json:"reason"` // for a developer
}

// NewReply makes the answer of a place.
func NewReply(p Place) Reply { return Reply{p.Node, EpochText(p.Epoch), p.Order} }

// JSON is the answer's text.
func (r Reply) JSON() []byte { return text(r) }

// Refusal is the answer to a requester whose message is ignored.
func (b *Bad) Refusal() Refusal { return Refusal{b.Reason.String(), b.Err} }

// JSON is the answer's text.
func (r Refusal) JSON() []byte { return text(r) }

// text is a value of strings and numbers as JSON.
func text(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings and numbers
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
