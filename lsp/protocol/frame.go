// Package protocol is the part of the Language Server Protocol that meshc speaks:
// its framing, its types and its way of counting positions. It knows nothing of
// meshes. JSON-RPC itself, who answers what, is a library's.
package protocol

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
)

const (
	// mostBytes bounds a message: a file as large as the compiler takes, escaped.
	mostBytes = 64 << 20
	// mostHeader bounds a line of a header, and mostFields their number.
	mostHeader, mostFields = 4 << 10, 32
)

// Stream reads and writes framed messages. A message that is no JSON, or that
// nobody can make sense of, is answered and left out: the frame tells where the
// next one begins. What breaks the framing itself is an error.
type Stream struct {
	in   *bufio.Reader
	mu   sync.Mutex
	out  io.Writer
	shut func() error
}

// NewStream frames messages. Close is called once, to end both directions.
func NewStream(in io.Reader, out io.Writer, shut func() error) *Stream {
	return &Stream{in: bufio.NewReaderSize(in, mostHeader), out: out, shut: shut}
}

// ReadObject reads the next message that v takes.
func (s *Stream) ReadObject(v any) error {
	for {
		body, err := s.frame()
		if err != nil {
			return err
		}
		if err := decode(body, v); err == nil {
			return nil
		}
		unread := json.RawMessage(`{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"the message cannot be read"}}`)
		if err := s.WriteObject(unread); err != nil {
			return err
		}
	}
}

// decode is json.Unmarshal that takes whatever comes.
func decode(body []byte, v any) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the message cannot be read: %v", r)
		}
	}()
	return json.Unmarshal(body, v)
}

// frame reads one message's bytes.
func (s *Stream) frame() ([]byte, error) {
	length := -1
	for range mostFields {
		line, err := s.in.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, io.EOF) && len(line) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		field := strings.TrimRight(string(line), "\r\n")
		if field == "" {
			if length < 0 {
				return nil, errors.New("a message has no Content-Length")
			}
			return s.body(int64(length))
		}
		name, value, ok := strings.Cut(field, ":")
		if !ok {
			return nil, fmt.Errorf("%q is no field of a header", field)
		}
		if !strings.EqualFold(strings.TrimSpace(name), "Content-Length") {
			continue
		}
		if length, err = strconv.Atoi(strings.TrimSpace(value)); err != nil || length < 0 || length > mostBytes {
			return nil, fmt.Errorf("a message cannot be %q bytes long", strings.TrimSpace(value))
		}
	}
	return nil, errors.New("a message's header has no end")
}

// body reads a message of a length. Memory is taken as bytes come: what a header
// claims costs nothing.
func (s *Stream) body(length int64) ([]byte, error) {
	var body bytes.Buffer
	_, err := io.CopyN(&body, s.in, length)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return body.Bytes(), err
}

// WriteObject writes one message.
func (s *Stream) WriteObject(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := fmt.Fprintf(s.out, "Content-Length: %d\r\n\r\n", len(body)); err != nil {
		return err
	}
	_, err = s.out.Write(body)
	return err
}

// Close ends both directions.
func (s *Stream) Close() error { return s.shut() }
