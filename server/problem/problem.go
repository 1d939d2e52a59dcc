// Package problem is an error as a client gets it over HTTP: RFC 9457's problem details,
// of the type about:blank, with a code for programs. The API and the control socket
// answer with it, and the program's commands read it.
package problem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// MediaType is what problem details are.
const MediaType = "application/problem+json"

// RequestError is one problem.
type RequestError struct {
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Code      string       `json:"code,omitempty"` // the API always has one
	Detail    string       `json:"detail,omitempty"`
	RequestID string       `json:"request_id,omitempty"`
	Errors    []FieldError `json:"errors,omitempty"`
}

// FieldError is one of several things that are wrong.
type FieldError struct {
	Location string `json:"location,omitempty"`
	Message  string `json:"message"`
}

// Of makes a problem of an error. One that joins several has a line for each.
func Of(status int, err error) *RequestError {
	p := &RequestError{Title: http.StatusText(status), Status: status, Detail: err.Error()}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			p.Errors = append(p.Errors, FieldError{Message: one.Error()})
		}
	}
	return p
}

// Read reads an answer with an error's status. Where it is no problem, the status says
// what there is to say.
func Read(status int, body []byte) *RequestError {
	p := &RequestError{Status: status, Title: http.StatusText(status)}
	_ = json.Unmarshal(body, p)
	return p
}

// Error is the detail, or else the status.
func (p *RequestError) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return fmt.Sprintf("%d %s", p.Status, p.Title)
}

// Body is the document, a line of JSON.
func (p *RequestError) Body() []byte {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		panic(err) // strings and numbers
	}
	return body.Bytes()
}

// Write answers with it, beside the headers that w has.
func (p *RequestError) Write(w http.ResponseWriter) {
	body := p.Body()
	w.Header().Set("Content-Type", MediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a client that is gone misses nothing
}
