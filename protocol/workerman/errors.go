package workerman

// Reason is why a frame or a body is refused, for counting.
type Reason uint8

// The reasons. The two about frames end the connection, since nobody knows
// where the next frame begins; the others only spoil their own body.
const (
	ReasonFrameShort Reason = iota
	ReasonFrameLong
	ReasonSyntax
	ReasonObject
	ReasonReference
	ReasonDepth
	ReasonType
	ReasonChannels

	// Reasons is how many there are.
	Reasons
)

// String is the reason as a word for logs and metrics.
func (r Reason) String() string {
	switch r {
	case ReasonFrameShort:
		return "frame_short"
	case ReasonFrameLong:
		return "frame_long"
	case ReasonSyntax:
		return "syntax"
	case ReasonObject:
		return "object"
	case ReasonReference:
		return "reference"
	case ReasonDepth:
		return "depth"
	case ReasonType:
		return "type"
	case ReasonChannels:
		return "channels"
	default:
		return "none"
	}
}

// Error says why a frame or a body is refused. There is one for each Reason,
// made in advance, and its text is fixed: neither a peer nor a log is shown what
// a peer sent.
type Error struct {
	Reason Reason
	text   string
}

func (e *Error) Error() string { return "channel: " + e.text }

var (
	errFrameShort = &Error{ReasonFrameShort, "frame length below its own 4 bytes"}
	errFrameLong  = &Error{ReasonFrameLong, "frame over the limit"}
	errSyntax     = &Error{ReasonSyntax, "not what serialize() writes"}
	errObject     = &Error{ReasonObject, "objects are refused"}
	errReference  = &Error{ReasonReference, "a back reference that leads out of data"}
	errDepth      = &Error{ReasonDepth, "nested too deeply"}
	errType       = &Error{ReasonType, "not an array with a known type"}
	errChannels   = &Error{ReasonChannels, "the channels are missing, or not strings and integers"}
)
