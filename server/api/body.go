package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
)

// bodyKind says what an operation does with a request's body.
type bodyKind int

const (
	textBody bodyKind = iota // characters, whatever they are said to be
	jsonBody
)

// readBody reads a body within its limit, until its server's ReadTimeout at most.
func readBody(w http.ResponseWriter, r *http.Request, kind bodyKind, limits *Limits) ([]byte, *problem) {
	if p := checkType(r, kind); p != nil {
		return nil, p
	}
	limit := limits.MaxMessageBytes
	if kind == jsonBody {
		limit = limits.MaxBatchBytes
	}
	tooLarge := problemf(http.StatusRequestEntityTooLarge, codeTooLarge, "the body is over the limit of %d bytes", limit)
	if r.ContentLength > int64(limit) {
		return nil, tooLarge
	}
	if inner, ok := w.(*recorder); ok {
		w = inner.ResponseWriter // net/http's own closes the connection if the body is not read to its end
	}
	// Room for what comes, not for what is announced.
	var body bytes.Buffer
	body.Grow(int(min(max(r.ContentLength, 0), 16<<10)) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, int64(limit)))
	if err == nil {
		return body.Bytes(), nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return nil, problemf(http.StatusRequestTimeout, codeTooSlow,
			"the body did not come in time: nothing was published").setHeader("Connection", "close")
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, problemf(http.StatusBadRequest, codeCutOff, "the body ended too soon: nothing was published")
	}
	return nil, problemf(http.StatusBadRequest, codeCutOff, "the body could not be read: nothing was published")
}

// checkType refuses what would not be understood. For a text it is enough that
// nobody says it is something else than UTF-8: curl -d calls everything a form.
func checkType(r *http.Request, kind bodyKind) *problem {
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return problemf(http.StatusUnsupportedMediaType, codeMediaType, "bodies are taken without Content-Encoding")
	}
	header := r.Header.Get("Content-Type")
	if header == "" {
		return nil
	}
	media, parameters, err := mime.ParseMediaType(header)
	if err != nil {
		return problemf(http.StatusUnsupportedMediaType, codeMediaType, "the Content-Type is malformed")
	}
	switch charset := strings.ToLower(parameters["charset"]); {
	case charset != "" && charset != "utf-8" && charset != "utf8" && charset != "us-ascii":
		return problemf(http.StatusUnsupportedMediaType, codeMediaType, "bodies are UTF-8")
	case kind == textBody && strings.HasPrefix(media, "multipart/"):
		return problemf(http.StatusUnsupportedMediaType, codeMediaType,
			"the body is the message itself, not a form with parts: curl -d, not -F")
	case kind == jsonBody && media != "application/json":
		return problemf(http.StatusUnsupportedMediaType, codeMediaType,
			"the body is JSON: send Content-Type: application/json (curl --json)")
	}
	return nil
}
