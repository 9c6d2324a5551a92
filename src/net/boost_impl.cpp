// The one file that compiles Asio and Beast; the rest of the house only sees declarations and templates.

#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
