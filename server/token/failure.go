package token

import "fmt"

// Reason is why a token is refused. Reasons are counted one by one.
type Reason uint8

// The reasons, in the order in which a token is looked at.
const (
	Missing     Reason = iota // there is none
	Ambiguous                 // there are two
	TooLarge                  // over MaxBytes
	Malformed                 // not three parts of base64url with JSON in two
	Issuer                    // nobody whose tokens are taken
	Algorithm                 // no key of that issuer is for it
	UnknownKey                // no key of that kid
	Unavailable               // the issuer's keys were never had
	Signature                 // does not hold
	Expired
	NotYet
	Audience // for somebody else
	Claims   // missing, of a wrong type, too long or too many
	Reasons  // how many there are
)

var reasonNames = [Reasons]string{
	"missing", "ambiguous", "too_large", "malformed", "issuer", "algorithm", "unknown_key", "unavailable",
	"signature", "expired", "not_yet", "audience", "claims",
}

// String is the reason for programs: a metric's label, a problem's code.
func (r Reason) String() string {
	if r < Reasons {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// details say each reason to clients. None repeats anything of a token.
var details = [Reasons]string{
	Missing: "wants a token: in Authorization: Bearer TOKEN, in Sec-WebSocket-Protocol: groupcast.v1, token.TOKEN, " +
		"or in ?token=TOKEN",
	Ambiguous:   "wants one token in one place, got several",
	Malformed:   "wants a JSON Web Token: three parts of base64url with dots between them",
	Issuer:      "the token's iss is none of those whose tokens are taken here",
	Algorithm:   "the token's alg is none that a key here is for",
	UnknownKey:  "no key here has the token's kid",
	Unavailable: "the keys of the token's issuer cannot be had at the moment; try again",
	Signature:   "the token's signature does not hold",
	Expired:     "the token is over",
	NotYet:      "the token is not valid yet",
	Audience:    "the token's aud is not this server",
}

// RefusedError is why a token is refused. Its text is for the client and the log: it has nothing of
// the token in it.
type RefusedError struct {
	Reason Reason
	Detail string
}

func (e *RefusedError) Error() string { return e.Detail }

func refused(r Reason) *RefusedError { return &RefusedError{r, details[r]} }

// claimRefused is about one claim; the token's signature holds.
func claimRefused(claim, format string, args ...any) *RefusedError {
	return &RefusedError{Claims, "the token's " + claim + " " + fmt.Sprintf(format, args...)}
}
