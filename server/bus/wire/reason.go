package wire

import (
	"fmt"
	"strconv"
)

// Reason is why something that came by NATS is ignored: the label of a metric, and the code of a Refusal.
type Reason uint8

// The reasons.
const (
	ReasonVersion  Reason = iota // a major version that this program does not read
	ReasonMode                   // a mode that is neither text nor json
	ReasonUTF8                   // not UTF-8
	ReasonJSON                   // said to be JSON, and is none
	ReasonTooLarge               // more bytes than the limit
	ReasonToken                  // a name's token that is none
	ReasonOrigin                 // a place that is none
	ReasonExclude                // a session's text that is none
	ReasonTooMany                // more names or sessions than a publication may have
	ReasonSubject                // a subject that is none, or that this header does not belong to
	ReasonControl                // a message between nodes that makes no sense
	ReasonEmpty                  // nobody is meant
	ReasonHeader                 // headers that cannot be read

	// Reasons is how many there are.
	Reasons
)

var reasonLabels = [Reasons]string{
	ReasonVersion: "version", ReasonMode: "mode", ReasonUTF8: "utf8", ReasonJSON: "json",
	ReasonTooLarge: "too_large", ReasonToken: "token", ReasonOrigin: "origin", ReasonExclude: "exclude",
	ReasonTooMany: "too_many", ReasonSubject: "subject", ReasonControl: "control", ReasonEmpty: "empty",
	ReasonHeader: "header",
}

// String is the label.
func (r Reason) String() string {
	if r >= Reasons {
		return "unknown"
	}
	return reasonLabels[r]
}

// Bad says why something is ignored: Reason for counting, Err for a developer who reads it. It is no
// error, so that a nil one cannot be taken for one.
type Bad struct {
	Reason Reason
	Err    string
}

func bad(r Reason, format string, args ...any) *Bad { return &Bad{r, fmt.Sprintf(format, args...)} }

// maxQuotedBytes bounds how much of the input an error repeats.
const maxQuotedBytes = 40

// quote is foreign text as an error shows it.
func quote[T string | []byte](text T) string {
	shown := strconv.QuoteToASCII(string(text[:min(len(text), maxQuotedBytes)]))
	if more := len(text) - maxQuotedBytes; more > 0 {
		return fmt.Sprintf("%s and %d bytes more", shown, more)
	}
	return shown
}
