package caller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/meshc/meshc/compiler/ir"
)

// stillness is how long a server that has said something may pause before all it
// says counts as said: requests that nobody sane sends may have any number of
// answers.
const stillness = 500 * time.Millisecond

// sendRaw writes the request's bytes as they are, whatever they are, and takes all
// that the server says until it closes or is quiet.
func sendRaw(ctx context.Context, r Request) (Result, error) {
	c, err := dial(ctx, r)
	if err != nil {
		return Result{}, err
	}
	defer c.Close()
	result := Result{Local: c.LocalAddr().String(), Remote: c.RemoteAddr().String()}
	if _, err := c.Write(r.Bytes); err != nil {
		return result, err
	}
	buf := make([]byte, 4096)
	for len(result.Bytes) < bodyLimit {
		n, err := c.Read(buf)
		result.Bytes = append(result.Bytes, buf[:n]...)
		if err != nil {
			_, err = said(Result{}, result.Bytes, err)
			return result, err
		}
		if err := c.SetReadDeadline(time.Now().Add(stillness)); err != nil {
			return result, err
		}
	}
	return result, nil
}

// sendFrames speaks HTTP/2 with just the header block that was asked for: pseudo
// headers that are missing, doubled, unknown or late included. An answer to the
// first stream ends it, as does the end of the stream or of the connection.
func sendFrames(ctx context.Context, r Request) (Result, error) {
	c, err := dial(ctx, r)
	if err != nil {
		return Result{}, err
	}
	defer c.Close()
	result := Result{Local: c.LocalAddr().String(), Remote: c.RemoteAddr().String(), Headers: map[string][]string{}}
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		return result, err
	}
	framer := http2.NewFramer(c, c)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := writeStream(framer, r); err != nil {
		return result, err
	}
	for {
		done, err := readFrame(framer, &result)
		if done || err != nil {
			return result, err
		}
	}
}

func writeStream(framer *http2.Framer, r Request) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, h := range r.Headers {
		if err := encoder.WriteField(hpack.HeaderField{Name: h.Name, Value: h.Value}); err != nil {
			return err
		}
	}
	err := framer.WriteSettings()
	if err == nil {
		err = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: r.Body == "", EndHeaders: true})
	}
	if err == nil && r.Body != "" {
		err = framer.WriteData(1, true, []byte(r.Body))
	}
	return err
}

// readFrame takes in one frame, and tells whether the answer is whole.
func readFrame(framer *http2.Framer, result *Result) (done bool, err error) {
	frame, err := framer.ReadFrame()
	if err != nil {
		var timeout net.Error
		if result.Status != 0 && errors.As(err, &timeout) && timeout.Timeout() {
			return true, nil
		}
		return true, fmt.Errorf("the connection was closed: %w", err)
	}
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return false, framer.WriteSettingsAck()
		}
	case *http2.MetaHeadersFrame:
		for _, field := range f.Fields {
			result.Headers[field.Name] = append(result.Headers[field.Name], field.Value)
		}
		if status := f.PseudoValue("status"); status != "" {
			result.Status, _ = strconv.Atoi(status)
		}
		return f.StreamEnded(), nil
	case *http2.DataFrame:
		result.Body += string(f.Data())
		return f.StreamEnded(), nil
	case *http2.RSTStreamFrame:
		return true, fmt.Errorf("the stream was reset: %s", f.ErrCode)
	case *http2.GoAwayFrame:
		// A proxy that ends a connection with its answer says so first.
		if f.ErrCode == http2.ErrCodeNo && f.LastStreamID > 0 {
			return false, nil
		}
		return true, fmt.Errorf("the connection was ended: %s", f.ErrCode)
	}
	return false, nil
}

// Fields are a request's header block in the usual order, for Frames.
func Fields(method, scheme, authority, path string, headers ...ir.Header) []ir.Header {
	return append([]ir.Header{{Name: ":method", Value: method}, {Name: ":scheme", Value: scheme}, {Name: ":authority", Value: authority}, {Name: ":path", Value: path}}, headers...)
}
