package door

import (
	"errors"
	"io"
	"slices"

	"groupcast/protocol"
)

// Why a request's head was not read; the client has been answered.
var (
	ErrHeadTooLarge = errors.New("the request's head is larger than it may be")
	ErrHeadTimeout  = errors.New("the request's head did not come in time")
)

// headBuffer is what one read takes, most heads whole.
const headBuffer = 2048

// readHead reads from c until a request's head is whole. What read holds comes first; it
// is kept. The head is the beginning of all. It blocks until c's deadline.
func readHead(c io.Reader, read []byte, most int) (head, all []byte, err error) {
	for from := 0; ; {
		end := protocol.HeadEnd(read, from)
		switch {
		case end > most || end < 0 && len(read) > most:
			return nil, read, ErrHeadTooLarge
		case end >= 0:
			return read[:end:end], read, nil
		}
		from = len(read)
		read = slices.Grow(read, headBuffer)
		n, err := c.Read(read[from:cap(read)])
		read = read[:from+n]
		if err != nil && n == 0 {
			return nil, read, err
		}
	}
}
