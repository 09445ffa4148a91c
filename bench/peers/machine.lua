local Machine = {}
Machine.__index = Machine

function Machine:push(x)
  self.stack[#self.stack + 1] = x
end

function Machine:pop()
  local stack = self.stack
  local n = #stack
  if n == 0 then error("the stack is empty") end
  local x = stack[n]
  stack[n] = nil
  return x
end

function Machine:run()
  local at, steps = 1, 0
  local variables = self.variables
  while true do
    steps = steps + 1
    local instruction = self.code[at]
    local op, operand = instruction.op, instruction.operand
    at = at + 1
    if op == "push" then
      self:push(operand)
    elseif op == "load" then
      self:push(variables[operand])
    elseif op == "store" then
      variables[operand] = self:pop()
    elseif op == "add" then
      local right = self:pop()
      self:push(self:pop() + right)
    elseif op == "multiply" then
      local right = self:pop()
      self:push(self:pop() * right)
    elseif op == "modulo" then
      local right = self:pop()
      self:push(self:pop() % right)
    elseif op == "less" then
      local right = self:pop()
      self:push(self:pop() < right and 1 or 0)
    elseif op == "jump if false" then
      if self:pop() == 0 then at = operand end
    elseif op == "jump" then
      at = operand
    else
      break
    end
  end
  return steps
end

local function put(code, op, operand) code[#code + 1] = { op = op, operand = operand } end

local function squares(n)
  local code = {}
  put(code, "load", 0)
  put(code, "push", n)
  put(code, "less")
  put(code, "jump if false", 18)
  put(code, "load", 1)
  put(code, "load", 0)
  put(code, "load", 0)
  put(code, "multiply")
  put(code, "push", 7)
  put(code, "modulo")
  put(code, "add")
  put(code, "store", 1)
  put(code, "load", 0)
  put(code, "push", 1)
  put(code, "add")
  put(code, "store", 0)
  put(code, "jump", 1)
  put(code, "stop")
  return code
end

local n = tonumber(arg[1]) or 20000
local machine = setmetatable({ code = squares(n), stack = {}, variables = { [0] = 0, [1] = 0 } }, Machine)
local steps = machine:run()
print(string.format("%d after %d steps", machine.variables[1], steps))
