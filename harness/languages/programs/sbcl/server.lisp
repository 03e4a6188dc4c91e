;; Serves one connection: sends back what comes, until end of file.
(require :sb-bsd-sockets)
(use-package :sb-bsd-sockets)

(let ((listener (make-instance 'inet-socket :type :stream :protocol :tcp))
      (block (make-array 16384 :element-type '(unsigned-byte 8))))
  (setf (sockopt-reuse-address listener) t)
  (socket-bind listener #(127 0 0 1) (parse-integer (second *posix-argv*)))
  (socket-listen listener 5)
  (let ((connection (socket-accept listener)))
    (loop
      (multiple-value-bind (data count) (socket-receive connection block nil)
        (declare (ignore data))
        (when (or (null count) (zerop count)) (return))
        (loop with rest = (subseq block 0 count)
              while (plusp (length rest))
              do (setf rest (subseq rest (socket-send connection rest nil))))))
    (socket-close connection)))
