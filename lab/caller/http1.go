package caller

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/meshc/meshc/compiler/ir"
)

// http1Conn is a connection that may serve another request.
type http1Conn struct {
	net.Conn
	r       *bufio.Reader
	address string // family and address it was dialled with
}

// sendHTTP1 writes the request as it was asked for, byte by byte: net/http would
// clean the path and join headers.
func (w *worker) sendHTTP1(ctx context.Context, r Request) (Result, error) {
	c, err := w.connect(ctx, r)
	if err != nil {
		return Result{}, err
	}
	result := Result{Local: c.LocalAddr().String(), Remote: c.RemoteAddr().String()}
	if _, err := io.WriteString(c, http1Text(r)); err != nil {
		c.Close()
		return result, err
	}
	response, err := http.ReadResponse(c.r, &http.Request{Method: r.Method})
	if err != nil {
		c.Close()
		return result, err
	}
	err = take(&result, response)
	if err == nil && !response.Close {
		w.kept = c
	} else {
		c.Close()
	}
	return result, err
}

// connect takes the kept connection if it leads to the right place.
func (w *worker) connect(ctx context.Context, r Request) (*http1Conn, error) {
	kept := w.kept
	w.kept = nil
	if kept != nil && kept.address == r.Family+" "+r.Address {
		deadline, _ := ctx.Deadline()
		return kept, kept.SetDeadline(deadline)
	}
	if kept != nil {
		kept.Close()
	}
	c, err := dial(ctx, r)
	if err != nil {
		return nil, err
	}
	return &http1Conn{c, bufio.NewReader(c), r.Family + " " + r.Address}, nil
}

func http1Text(r Request) string {
	var b strings.Builder
	path := r.Path
	if path == "" {
		path = "/"
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", method(r), path, authority(r))
	for _, h := range r.Headers {
		if !isAuthority(h) {
			fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
		}
	}
	if r.ID != "" {
		fmt.Fprintf(&b, "x-request-id: %s\r\n", r.ID)
	}
	if r.Body != "" || hasBody(method(r)) {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	return b.String() + "\r\n" + r.Body
}

func method(r Request) string {
	if r.Method == "" {
		return http.MethodGet
	}
	return r.Method
}

func hasBody(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}

// authority is the host header of the request if it has one.
func authority(r Request) string {
	for _, h := range r.Headers {
		if isAuthority(h) {
			return h.Value
		}
	}
	return r.Address
}

func isAuthority(h ir.Header) bool {
	return strings.EqualFold(h.Name, "host") || strings.EqualFold(h.Name, ":authority")
}

// take reads an answer.
func take(result *Result, response *http.Response) error {
	defer response.Body.Close()
	result.Status, result.Headers = response.StatusCode, response.Header
	body, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit))
	result.Body = string(body)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}
